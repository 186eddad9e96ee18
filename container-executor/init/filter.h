/*
 * The system calls that a job is refused on top of the engine's own filter, which gVisor ignores:
 * those by which a process of init's uid could disturb init, and those that make namespaces.
 */
#ifndef BULKHEAD_FILTER_H
#define BULKHEAD_FILTER_H

#include <stdbool.h>

/* Makes the filter ready; before any vfork. */
void filter_prepare(void);

/* Lays it on this process for good. False with errno where the kernel refuses. */
bool filter_apply(void);

#endif

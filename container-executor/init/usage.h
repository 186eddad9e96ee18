/*
 * What the job uses: from the container's own control group (version 1 or 2) where it is to be seen,
 * else from /proc, which under gVisor is the sandbox's own.
 */
#ifndef BULKHEAD_USAGE_H
#define BULKHEAD_USAGE_H

#include <stdbool.h>
#include <stdint.h>

/* Finds the sources and begins counting from here. Cheap to ask afterwards. */
void usage_begin(void);

/* CPU time of all the job's processes, the dead ones too. */
uint64_t usage_cpu_us(void);

/* Anonymous and kernel memory; 0 where it cannot be known. */
uint64_t usage_memory_bytes(void);

uint32_t usage_processes(void);

/* Since usage_begin; 0 where it cannot be known. */
uint32_t usage_oom_kills(void);
uint32_t usage_pids_refused(void);

/* Of the work folder. */
struct disk_usage {
    uint64_t used_bytes;
    /* No free block or no free inode. */
    bool is_full;
};
struct disk_usage usage_disk(void);

#endif

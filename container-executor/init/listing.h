/*
 * What the job left in its work folder. Asked only when no process of the job lives, so nothing can
 * change a path between two looks; still every step goes by descriptor, one name at a time, never
 * through a link and never onto another file system. (openat2 does the same in one call, where the
 * kernel, gVisor and the container's seccomp filter all know it; this needs none of them.)
 */
#ifndef BULKHEAD_LISTING_H
#define BULKHEAD_LISTING_H

#include <stddef.h>
#include <stdint.h>

/* Writes a LISTING's payload, entries from `first`, into space of MAX_OUT_PAYLOAD; its length. */
size_t listing_page(uint32_t first, uint8_t *payload);

/* Reads a listed file. The count of bytes, 0 at its end, or -1 with errno. */
ssize_t listing_read(uint32_t index, uint64_t offset, uint8_t *bytes, size_t size);

#endif

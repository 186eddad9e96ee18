/*
 * The seal on each frame that init sends once it has a job: the first SEAL_BYTES of HMAC-SHA-256 over
 * its type and payload, with the job's secret. Where the kernel keeps the job from init's descriptors
 * it is not needed; gVisor of 2022 does not, and there it is what the job cannot forge.
 */
#ifndef BULKHEAD_SEAL_H
#define BULKHEAD_SEAL_H

#include <stddef.h>
#include <stdint.h>

enum { SEAL_BYTES = 16, SECRET_BYTES = 16 };

/* From now on there is a secret. */
void seal_begin(const uint8_t secret[SECRET_BYTES]);

/* Writes the seal of a type and a payload, and returns its length: 0 as long as there is no secret. */
size_t seal(uint8_t type, const uint8_t *payload, size_t length, uint8_t *to);

#endif

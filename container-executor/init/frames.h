/*
 * What a container's init and the executor say to each other, over init's standard input and output.
 * The same table in TypeScript is channel/init-frames.ts.
 *
 * A frame is: u32 length of the payload, u8 type, payload. Numbers are big-endian and unsigned.
 *
 * Events (STARTED, OUTPUT, EXIT) carry a growing number, `seq`, from 1. Init keeps each until an ACK
 * for it or a later one, and sends all that it keeps again after a SYNC. Everything else is asked for
 * again by whoever missed it.
 *
 * The payload of all that init sends after JOB ends with a seal (seal.h) that the job cannot make.
 *
 * After a crash either side's stream may begin or break off in the middle of a frame. The job's
 * `key`, 16 random bytes that nothing but JOB, SYNC and SYNCED ever carries, finds the way back: a
 * whole SYNC frame with it ends whatever frame is half read, and the executor skips everything
 * before the SYNCED that answers. The job knows no key, so no output of its can pass for one.
 */
#ifndef BULKHEAD_FRAMES_H
#define BULKHEAD_FRAMES_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

enum { PROTOCOL_VERSION = 1, FRAME_HEADER = 5, KEY_BYTES = 16 };

/* The longest payloads: of a JOB with all its arguments and environment, and, without their seal, of
 * what is told. */
enum { MAX_IN_PAYLOAD = 4 * 1024 * 1024, MAX_OUT_PAYLOAD = 64 * 1024 };

enum in_type {
    /* u32 mode, u16 length of path, path, bytes. A path that ends in '/' is a folder. */
    IN_FILE = 0x01,
    /* bytes: more of the last FILE. */
    IN_FILE_MORE = 0x02,
    /* key, secret of the seals, u8 flags, u32 arguments that the waiting program (job.h)
     * is not given or 0 for a new program, u64 memory bytes, u64 CPU microseconds, u32 processes, u32 lease milliseconds,
     * u32 count of arguments, u32 count of environment entries; then each argument and each entry as
     * u32 length, bytes, a zero byte. A limit of 0 is none; the lease has to be set. Once. */
    IN_JOB = 0x03,
    /* u64 offset, bytes: standard input; at most STDIN_WINDOW ahead of the last STDIN_TAKEN. */
    IN_STDIN = 0x04,
    /* u64 offset of the end. */
    IN_STDIN_END = 0x05,
    /* u64 seq. */
    IN_ACK = 0x06,
    IN_RENEW = 0x07,
    /* u32 grace in milliseconds between SIGTERM and SIGKILL. */
    IN_CANCEL = 0x08,
    /* Answered by STATS. */
    IN_STATS = 0x09,
    /* u32 first index. Answered by LISTING, once nothing of the job lives. */
    IN_LIST = 0x0a,
    /* u32 index, u64 offset. Answered by DATA. */
    IN_READ = 0x0b,
    /* key, u64 seq of the last event that is acknowledged. Answered by SYNCED. */
    IN_SYNC = 0x0c,
    IN_BYE = 0x0d,
};

enum { JOB_WANTS_VALUE = 1 };

enum { STDIN_WINDOW = 64 * 1024 };

enum out_type {
    /* u8 version: init waits for its job. */
    OUT_READY = 0x81,
    /* key, u64 bytes of standard input received, u64 of those taken by the job. */
    OUT_SYNCED = 0x82,
    /* u64 seq. */
    OUT_STARTED = 0x83,
    /* u64 seq, u8 stream (1 or 2), u64 offset, bytes. */
    OUT_OUTPUT = 0x84,
    /* u64 seq and what `struct exit_report` has, in its order; then the path of a failed set-up. */
    OUT_EXIT = 0x85,
    /* u64 bytes of standard input taken. */
    OUT_STDIN_TAKEN = 0x86,
    /* u64 CPU microseconds, u64 memory bytes, u64 disk bytes, u32 processes. */
    OUT_STATS = 0x87,
    /* u32 first index, u32 count of all entries, u8 1 where the list is complete; then entries: u64
     * size, u64 allocated, u32 mode, u16 length of path, path. */
    OUT_LISTING = 0x88,
    /* u32 index, u64 offset, u32 errno or 0, u8 1 where these are the last bytes, bytes. */
    OUT_DATA = 0x89,
};

/* In place of a file's index: what the job wrote to its value pipe. */
#define VALUE_INDEX UINT32_MAX

enum end_kind { END_EXITED = 0, END_SIGNALLED = 1, END_EXEC_FAILED = 2, END_SETUP_FAILED = 3 };

enum kill_reason {
    KILL_NONE = 0,
    KILL_CANCELLED = 1,
    KILL_LEASE = 2,
    KILL_MEMORY = 3,
    KILL_DISK = 4,
    KILL_CPU = 5,
};

static inline void put_u16(uint8_t *at, uint16_t value) {
    value = htobe16(value);
    memcpy(at, &value, sizeof value);
}

static inline void put_u32(uint8_t *at, uint32_t value) {
    value = htobe32(value);
    memcpy(at, &value, sizeof value);
}

static inline void put_u64(uint8_t *at, uint64_t value) {
    value = htobe64(value);
    memcpy(at, &value, sizeof value);
}

static inline uint16_t get_u16(const uint8_t *at) {
    uint16_t value;
    memcpy(&value, at, sizeof value);
    return be16toh(value);
}

static inline uint32_t get_u32(const uint8_t *at) {
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return be32toh(value);
}

static inline uint64_t get_u64(const uint8_t *at) {
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return be64toh(value);
}

#endif

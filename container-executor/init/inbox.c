#define _GNU_SOURCE
#include "inbox.h"

#include <errno.h>
#include <unistd.h>

#include "frames.h"

enum { READ_BYTES = 128 * 1024, SYNC_LENGTH = FRAME_HEADER + KEY_BYTES };

/* Untouched pages of it cost nothing: a job's frame is seldom long. */
static uint8_t bytes[FRAME_HEADER + MAX_IN_PAYLOAD + READ_BYTES];
static size_t taken, end;

static uint8_t sync_start[SYNC_LENGTH];
static bool has_key, is_broken;

void inbox_set_key(const uint8_t *key) {
    put_u32(sync_start, KEY_BYTES + sizeof(uint64_t));
    sync_start[4] = IN_SYNC;
    memcpy(sync_start + FRAME_HEADER, key, KEY_BYTES);
    has_key = true;
}

bool inbox_is_broken(void) {
    return is_broken;
}

enum inbox_state inbox_read(int fd) {
    memmove(bytes, bytes + taken, end - taken);
    end -= taken;
    taken = 0;
    if (sizeof bytes - end < READ_BYTES) return INBOX_OPEN;
    ssize_t count = read(fd, bytes + end, READ_BYTES);
    if (count == 0) return INBOX_CLOSED;
    if (count < 0) return errno == EAGAIN || errno == EINTR ? INBOX_OPEN : INBOX_CLOSED;
    /* The key may have begun in what came before. */
    size_t from = end > SYNC_LENGTH ? end - SYNC_LENGTH : 0;
    end += (size_t)count;
    const uint8_t *sync =
        has_key ? memmem(bytes + from, end - from, sync_start, SYNC_LENGTH) : NULL;
    if (sync == NULL) return INBOX_OPEN;
    /* Whole frames before it still count; only the half one that it cuts is dropped. */
    size_t at = (size_t)(sync - bytes);
    size_t next = taken;
    while (next + FRAME_HEADER <= at && get_u32(bytes + next) <= at - next - FRAME_HEADER) {
        next += FRAME_HEADER + get_u32(bytes + next);
    }
    memmove(bytes + next, sync, end - at);
    end -= at - next;
    return INBOX_OPEN;
}

bool inbox_next(struct in_frame *frame) {
    if (is_broken || end - taken < FRAME_HEADER) return false;
    uint32_t length = get_u32(bytes + taken);
    if (length > MAX_IN_PAYLOAD) {
        is_broken = true;
        return false;
    }
    if (end - taken - FRAME_HEADER < length) return false;
    *frame = (struct in_frame){bytes[taken + 4], bytes + taken + FRAME_HEADER, length};
    taken += FRAME_HEADER + length;
    return true;
}

#include "outbox.h"

#include <errno.h>
#include <unistd.h>

#include "frames.h"
#include "seal.h"

enum { SEQ_BYTES = 8 };

/* What may be kept; the space is twice that, so that moving it together stays rare. */
enum { KEPT_MAX = 1024 * 1024, EVENT_SPACE = 2 * KEPT_MAX };
enum { ANSWER_MAX = FRAME_HEADER + MAX_OUT_PAYLOAD + SEAL_BYTES, ANSWER_SPACE = 4 * ANSWER_MAX };

/* Frames lie between start and end; those before `sent` were written, the one at `sent` in part. */
static struct {
    uint8_t bytes[EVENT_SPACE];
    size_t start, sent, end;
    uint64_t last_seq, acked;
} events;

static struct {
    uint8_t bytes[ANSWER_SPACE];
    size_t sent, end;
} answers;

/* The frame being written: of the events or of the answers, and how much of it is out. */
static enum { NOTHING, AN_EVENT, AN_ANSWER } writing = NOTHING;
static size_t written;

static size_t frame_length(const uint8_t *frame) {
    return FRAME_HEADER + get_u32(frame);
}

/* Puts header and seal around a payload in its place; the frame's length. */
static size_t finish_frame(uint8_t *frame, uint8_t type, size_t payload) {
    uint8_t *bytes = frame + FRAME_HEADER;
    size_t sealed = payload + seal(type, bytes, payload, bytes + payload);
    put_u32(frame, (uint32_t)sealed);
    frame[4] = type;
    return FRAME_HEADER + sealed;
}

bool outbox_has_room(size_t payload) {
    return events.end - events.start + FRAME_HEADER + payload + SEAL_BYTES <= KEPT_MAX;
}

uint8_t *outbox_event(void) {
    if (events.end + FRAME_HEADER + MAX_OUT_PAYLOAD + SEAL_BYTES > EVENT_SPACE) {
        memmove(events.bytes, events.bytes + events.start, events.end - events.start);
        events.sent -= events.start;
        events.end -= events.start;
        events.start = 0;
    }
    return events.bytes + events.end + FRAME_HEADER + SEQ_BYTES;
}

void outbox_add(uint8_t type, size_t after_seq) {
    uint8_t *frame = events.bytes + events.end;
    put_u64(frame + FRAME_HEADER, ++events.last_seq);
    events.end += finish_frame(frame, type, SEQ_BYTES + after_seq);
}

/* Drops what is acknowledged, but never the frame that is written in part. */
static void drop(void) {
    size_t limit = writing == AN_EVENT ? events.sent : events.end;
    while (events.start < limit) {
        const uint8_t *frame = events.bytes + events.start;
        if (get_u64(frame + FRAME_HEADER) > events.acked) break;
        events.start += frame_length(frame);
    }
    if (events.sent < events.start) events.sent = events.start;
    if (events.start == events.end) events.start = events.sent = events.end = 0;
}

void outbox_ack(uint64_t seq) {
    if (seq > events.last_seq || seq <= events.acked) return;
    events.acked = seq;
    drop();
}

/* Whether the events begin anew once the frame being written is out. */
static bool rewind_pending;

void outbox_rewind(uint64_t seq) {
    outbox_ack(seq);
    rewind_pending = writing == AN_EVENT;
    if (!rewind_pending) events.sent = events.start;
}

bool outbox_takes_answers(void) {
    return answers.end + ANSWER_MAX <= ANSWER_SPACE;
}

uint8_t *outbox_answer_payload(void) {
    return answers.bytes + answers.end + FRAME_HEADER;
}

void outbox_answer(uint8_t type, size_t payload) {
    uint8_t *frame = answers.bytes + answers.end;
    answers.end += finish_frame(frame, type, payload);
}

bool outbox_has_work(void) {
    return events.sent < events.end || answers.sent < answers.end;
}

/* A frame is out: on to the next. */
static void frame_is_out(size_t length) {
    bool was_event = writing == AN_EVENT;
    writing = NOTHING;
    written = 0;
    if (was_event) {
        events.sent += length;
        if (rewind_pending) events.sent = events.start;
        rewind_pending = false;
        drop();
        return;
    }
    answers.sent += length;
    if (answers.sent == answers.end) answers.sent = answers.end = 0;
}

bool outbox_write(int fd) {
    while (outbox_has_work()) {
        if (writing == NOTHING) writing = answers.sent < answers.end ? AN_ANSWER : AN_EVENT;
        const uint8_t *frame =
            writing == AN_ANSWER ? answers.bytes + answers.sent : events.bytes + events.sent;
        size_t length = frame_length(frame);
        ssize_t count = write(fd, frame + written, length - written);
        if (count < 0) return errno == EAGAIN || errno == EINTR;
        written += (size_t)count;
        if (written == length) frame_is_out(length);
    }
    return true;
}

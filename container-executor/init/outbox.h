/*
 * Everything that leaves init: events, kept until they are acknowledged, and answers, which are not.
 * A frame is always written whole before another begins.
 */
#ifndef BULKHEAD_OUTBOX_H
#define BULKHEAD_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether an event with a payload of this length may be added now: the bound is what makes
 * back-pressure. `seq` is counted in the payload. */
bool outbox_has_room(size_t payload);

/* Where to write an event's payload after its seq, before `outbox_add` of the same; only with room. */
uint8_t *outbox_event(void);

/* Adds the event whose payload after the seq has been written. */
void outbox_add(uint8_t type, size_t after_seq);

/* Drops events up to and with seq. */
void outbox_ack(uint64_t seq);

/* Sends everything that is kept after seq once more. */
void outbox_rewind(uint64_t seq);

/* Whether another answer of any size fits; no request is read while it does not. */
bool outbox_takes_answers(void);

/* Where to write an answer's payload, before `outbox_answer` of the same. */
uint8_t *outbox_answer_payload(void);
void outbox_answer(uint8_t type, size_t payload);

bool outbox_has_work(void);

/* Writes what the descriptor takes. False where it is broken for good. */
bool outbox_write(int fd);

#endif

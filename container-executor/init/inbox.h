/* Everything that reaches init: bytes in, whole frames out. */
#ifndef BULKHEAD_INBOX_H
#define BULKHEAD_INBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct in_frame {
    uint8_t type;
    /* Valid until the next call of `inbox_read`. */
    const uint8_t *payload;
    size_t length;
};

enum inbox_state { INBOX_OPEN, INBOX_CLOSED };

/* Takes what the descriptor has. Closed where no more can come. */
enum inbox_state inbox_read(int fd);

/* The next whole frame, false where there is none yet. */
bool inbox_next(struct in_frame *frame);

/* The stream is not to be understood: a frame that is longer than any may be. */
bool inbox_is_broken(void);

/* From now on a SYNC frame with this key ends whatever frame is half read. */
void inbox_set_key(const uint8_t *key);

#endif

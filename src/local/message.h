/*
 * message: the message of a delivery, read block by block from a seekable
 * descriptor. It is never in memory as a whole; a small one is read once,
 * whatever is done with it.
 */
#ifndef LOCAL_MESSAGE_H
#define LOCAL_MESSAGE_H

#include "base/buf.h"
#include "base/err.h"

#define MESSAGE_BLOCK 65536
#define MESSAGE_PREFIX_MAX 16384

struct message {
	int fd; /* borrowed; its position is used by programs only */
	uint64_t size;
	uint64_t at;                                    /* where in the message the block begins */
	size_t n;                                       /* bytes in the block */
	char space[MESSAGE_PREFIX_MAX + MESSAGE_BLOCK]; /* room for a prefix, then the block */
};

/* False, with the text for the report, when fd cannot be rewound. The struct is large: not for the stack. */
bool message_open(struct message *m, int fd, struct err *e);

/*
 * The part of the message from `offset` on, empty at its end; valid until the
 * next call. False: it cannot be read (e->sys says why).
 */
bool message_block(struct message *m, uint64_t offset, struct str *block, struct err *e);

/*
 * The first block with `prefix` in front, in one piece, so that a small
 * message can be written by one call. *taken is the offset of the next block.
 * The prefix has at most MESSAGE_PREFIX_MAX bytes.
 */
bool message_first(struct message *m, struct str prefix, struct str *piece, uint64_t *taken, struct err *e);

/* Puts the descriptor's position back to the start, for a program. False, with the text for the report. */
bool message_rewind(const struct message *m, struct err *e);

#endif

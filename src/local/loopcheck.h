/*
 * loopcheck: has a message been at this address before? Its header is
 * searched for a line equal to our Delivered-To line (contract §10.2). Pure;
 * fed block by block, so that a header of any length costs no memory.
 */
#ifndef LOCAL_LOOPCHECK_H
#define LOCAL_LOOPCHECK_H

#include "base/str.h"

struct loopcheck {
	struct str line; /* what to look for, with its LF; borrowed */
	size_t column;   /* bytes of the current line seen */
	bool differs;    /* the current line is not the one */
	bool looping;    /* found */
	bool done;       /* found, or the header has ended */
};

static inline struct loopcheck loopcheck_begin(struct str delivered_to)
{
	return (struct loopcheck){ .line = delivered_to };
}

/* Takes the next bytes of the message; once `done` is set, more change nothing. */
void loopcheck_feed(struct loopcheck *c, struct str data);

#endif

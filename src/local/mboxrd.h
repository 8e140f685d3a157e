/*
 * mboxrd: quoting a message for an mbox: '>' in front of every line that is
 * "From " behind any number of '>' (contract §10.6). Undone by removing one
 * '>' from such lines. Pure; fed block by block, keeps nothing but counters.
 */
#ifndef LOCAL_MBOXRD_H
#define LOCAL_MBOXRD_H

#include "base/buf.h"

struct mboxrd {
	bool inside;     /* the current line is known not to need quoting, or has been quoted */
	size_t matched;  /* bytes of "From " behind the '>' at its start, not yet written */
	bool unfinished; /* the last line has no LF yet */
};

/* Appends the quoted form of the next bytes. */
void mboxrd_add(struct mboxrd *m, struct str data, struct buf *out);

/* Appends what was held back, an LF if the last line lacks one, and the empty line behind the message. */
void mboxrd_finish(struct mboxrd *m, struct buf *out);

#endif

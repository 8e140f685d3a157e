/*
 * dotstuff: message content in the form of SMTP's DATA (RFC 5321 §4.5.2), or of BDAT (RFC 3030).
 *
 * LF becomes CRLF, and, for DATA, a line that starts with a dot gets another one.
 *
 * A CR may only go out as part of a CRLF: some receivers take it for a line
 * end by itself, and what follows it would then be a line that was not dot-
 * stuffed, or a command. So CRs directly before an LF count as part of that
 * line end, and any other run of CRs becomes one space. Mail with a stray CR
 * is thus delivered, changed in that place, instead of bounced. Every other
 * byte, NUL and 8-bit included, goes out as it is.
 */
#ifndef SMTPCLIENT_DOTSTUFF_H
#define SMTPCLIENT_DOTSTUFF_H

#include "base/buf.h"

struct dotstuff {
	bool bare;    /* for BDAT: no dots, neither before lines nor at the end */
	bool in_line; /* something of the current line was written */
	bool cr;      /* a CR was read and is not written yet */
};

/* Begins with the zero value. */
#define DOTSTUFF_INIT ((struct dotstuff){ 0 })
#define DOTSTUFF_BARE ((struct dotstuff){ .bare = true })

/* Appends the encoded form of the next piece of content: at most twice its length and one byte. */
void dotstuff_add(struct dotstuff *d, struct str content, struct buf *out);

/* Appends the final dot, if there is to be one. False, without the dot: the last line has no LF. */
bool dotstuff_end(struct dotstuff *d, struct buf *out);

/*
 * How many bytes the next piece of content becomes without dots: a message's
 * size by RFC 1870, and as a chunk. Begins with DOTSTUFF_BARE; dotstuff_end tells whether the last line was whole.
 */
uint64_t dotstuff_measure(struct dotstuff *d, struct str content);

#endif

/*
 * dotstuff: message content in the form of SMTP's DATA (RFC 5321 §4.5.2).
 *
 * LF becomes CRLF, and a line that starts with a dot gets another one.
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
	bool in_line; /* something of the current line was written */
	bool cr;      /* a CR was read and is not written yet */
};

/* Begins with the zero value. */
#define DOTSTUFF_INIT ((struct dotstuff){ false, false })

/* Appends the encoded form of the next piece of content: at most twice its length and one byte. */
void dotstuff_add(struct dotstuff *d, struct str content, struct buf *out);

/* Appends the final dot. False, without the dot: the last line has no LF. */
bool dotstuff_end(struct dotstuff *d, struct buf *out);

#endif

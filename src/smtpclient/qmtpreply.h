/*
 * qmtpreply: reading a QMTP server's replies (contract §16.1) from a stream of bytes: netstrings whose first byte says
 * K, Z or D, and whose rest is text.
 *
 * The server may be hostile: a reply's length is bounded, its text is cut and cleaned for logs and bounces.
 */
#ifndef SMTPCLIENT_QMTPREPLY_H
#define SMTPCLIENT_QMTPREPLY_H

#include "base/buf.h"

#define QMTPREPLY_KEEP 5000       /* bytes of text kept */
#define QMTPREPLY_BYTES_MAX 65536 /* longer replies are refused */

enum qmtpreply_state {
	QMTPREPLY_MORE,     /* all input was used, the reply is not complete */
	QMTPREPLY_COMPLETE, /* letter and text are valid until the next call */
	QMTPREPLY_BAD,
};

struct qmtpreply {
	char letter;
	size_t digits; /* of the length, so far */
	size_t left;   /* bytes of the reply that are still to come */
	bool in_text, letter_seen, complete;
};

/* The zero value begins. Takes bytes from the front of *input up to the end of one reply; `text` gets its text. */
enum qmtpreply_state qmtpreply_feed(struct qmtpreply *r, struct str *input, struct buf *text);

#endif

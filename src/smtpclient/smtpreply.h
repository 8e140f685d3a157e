/*
 * smtpreply: reading a server's replies (RFC 5321 §4.2) from a stream of bytes.
 *
 * A reply is one or more lines `250-text`, the last with a space or nothing in
 * place of the dash. Lines end in LF, with or without CR. The server may be
 * hostile: a reply's bytes are counted, its text is cut and cleaned for logs
 * and bounces.
 */
#ifndef SMTPCLIENT_SMTPREPLY_H
#define SMTPCLIENT_SMTPREPLY_H

#include "base/buf.h"

#define SMTPREPLY_KEEP 5000       /* bytes of text kept */
#define SMTPREPLY_BYTES_MAX 65536 /* longer replies are refused */

enum smtpreply_state {
	SMTPREPLY_MORE,     /* all input was used, the reply is not complete */
	SMTPREPLY_COMPLETE, /* code and text are valid until the next call */
	SMTPREPLY_BAD,      /* no SMTP reply, or too long; text holds what came */
};

struct smtpreply {
	int code;        /* 200..599 */
	struct buf text; /* all lines, each ends in LF; CR removed, other control bytes '?' */
	size_t bytes;    /* received for this reply */
	size_t column;   /* in the current line, CRs not counted */
	int line_code;
	bool lines, last, complete;
};

void smtpreply_init(struct smtpreply *r);
void smtpreply_free(struct smtpreply *r);

/* Takes bytes from the front of *input up to the end of one reply. */
enum smtpreply_state smtpreply_feed(struct smtpreply *r, struct str *input);

#endif

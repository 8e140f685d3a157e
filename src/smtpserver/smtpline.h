/*
 * smtpline: command lines out of a stream of bytes, without I/O.
 *
 * Exactly CR LF ends a line (RFC 5321 §2.3.8). An LF without CR before it is
 * reported as such and is never an end: what one side takes for a line end
 * and the other does not is how commands are smuggled. CR and NUL elsewhere
 * are ordinary bytes of the line. An overlong line is dropped and reported
 * once, when its end comes; it is never split.
 */
#ifndef SMTPSERVER_SMTPLINE_H
#define SMTPSERVER_SMTPLINE_H

#include "base/buf.h"

#define SMTPLINE_MAX 16384      /* RFC 5321 wants 512; addresses may have 899 bytes and a source route */
#define SMTPLINE_SKIP (1 << 20) /* a line longer than this ends the session */

enum smtpline_result {
	SMTPLINE_MORE,    /* all input is used up, the line has not ended */
	SMTPLINE_READY,   /* *line is set, without its CR LF; valid until the next call */
	SMTPLINE_LONG,    /* a line over SMTPLINE_MAX ended and was dropped */
	SMTPLINE_ENDLESS, /* SMTPLINE_SKIP bytes without an end */
	SMTPLINE_BARE_LF,
};

struct smtpline {
	struct buf partial; /* of a line that came in pieces */
	size_t skipped;     /* bytes dropped of an overlong line */
	char last;          /* the last byte seen of an unfinished line */
};

#define SMTPLINE_INIT ((struct smtpline){ .partial = BUF_INIT(SMTPLINE_MAX) })

/* Takes bytes off *input up to the end of the line. After ENDLESS or BARE_LF the reader is of no more use. */
enum smtpline_result smtpline_next(struct smtpline *l, struct str *input, struct str *line);
/* Has part of a line been read? */
bool smtpline_begun(const struct smtpline *l);
void smtpline_free(struct smtpline *l);

#endif

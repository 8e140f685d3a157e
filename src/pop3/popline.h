/*
 * popline: command lines of POP3 (RFC 1939 §3), without I/O. As qmail's
 * servers do, a line ends with LF; a CR before it is dropped.
 */
#ifndef POP3_POPLINE_H
#define POP3_POPLINE_H

#include "base/str.h"

#define POPLINE_MAX 4096 /* longer ones are dropped, and count as empty; AUTH needs more than the RFC's 255 */

struct popline {
	char text[POPLINE_MAX];
	size_t n;
	bool too_long;
};

/* Takes bytes off *input up to a line's end; true: *line is set, valid until the next call. */
bool popline_next(struct popline *l, struct str *input, struct str *line);

struct popcommand {
	struct str verb;     /* up to the first blank */
	struct str argument; /* without blanks in front; blanks behind it count */
};

struct popcommand popcommand_parse(struct str line);
bool popcommand_is(const struct popcommand *c, const char *verb);

/*
 * The first number of an argument, and what follows. False: it does not begin
 * with a digit, or is too large for any message.
 */
bool popcommand_number(struct str *argument, uint64_t *v);

#endif

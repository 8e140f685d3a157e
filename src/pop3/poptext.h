/*
 * poptext: a stored message as POP3 sends it: lines end with CR LF, a dot at
 * their beginning is doubled, and the last line has an end (RFC 1939 §3).
 * Pure; takes the message in pieces.
 */
#ifndef POP3_POPTEXT_H
#define POP3_POPTEXT_H

#include "base/buf.h"

struct poptext {
	bool limited;   /* TOP: only the header and … */
	uint64_t lines; /* … so many lines of the body */
	bool body;      /* the header is over */
	bool inside;    /* of a line */
	char last;
	bool ended; /* nothing more will come out */
};

struct poptext poptext_all(void);
struct poptext poptext_top(uint64_t lines);

/* Appends what the piece becomes. */
void poptext_add(struct poptext *t, struct str piece, struct buf *out);
/* The end of the last line, if it has none, and the final dot. */
void poptext_end(struct poptext *t, struct buf *out);

/* How many bytes a whole message has when it is sent, without doubled dots and the final one. */
struct popsize {
	uint64_t bytes;
	char last;
};

void popsize_add(struct popsize *s, struct str piece);
uint64_t popsize_end(const struct popsize *s);

#endif

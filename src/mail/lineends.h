/*
 * lineends: LF and CR LF (contract-companions §1.5). Pure; text comes in
 * pieces of any size.
 */
#ifndef MAIL_LINEENDS_H
#define MAIL_LINEENDS_H

#include "base/buf.h"

struct lineends {
	bool cr; /* the piece before ended with CR */
};

/* A CR before every LF, also behind a CR. */
void lineends_add(struct buf *out, struct str data);
/* Without the one CR that stands before an LF. A CR at the end of a piece is held back: see lineends_end. */
void lineends_remove(struct lineends *s, struct buf *out, struct str data);
/* The CR that lineends_remove holds, at the end of the text. */
void lineends_end(struct lineends *s, struct buf *out);
/* A CR before every LF that has none. */
void lineends_fix(struct lineends *s, struct buf *out, struct str data);

#endif

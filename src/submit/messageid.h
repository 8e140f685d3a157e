/*
 * messageid: the Message-ID field of a message that passes by.
 *
 * Only the header is looked at, at most MESSAGEID_SEARCHED bytes of it. The
 * value is for logs and for finding a message again; a strange one is none.
 */
#ifndef SUBMIT_MESSAGEID_H
#define SUBMIT_MESSAGEID_H

#include "base/str.h"

#define MESSAGEID_MAX 250
#define MESSAGEID_SEARCHED 65536

/* Start with all zero. */
struct messageid {
	size_t searched;
	unsigned matched; /* bytes of "message-id:" seen in this line */
	enum { MESSAGEID_LINE, MESSAGEID_SKIP, MESSAGEID_VALUE, MESSAGEID_DONE } state;
	size_t n;
	char value[MESSAGEID_MAX];
};

/* The next bytes of the message. */
void messageid_feed(struct messageid *m, struct str data);

/* The id with its angle brackets; empty if there is none. The view ends with m. */
struct str messageid_value(const struct messageid *m);

#endif

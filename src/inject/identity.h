/*
 * identity: who sends a new message, from the environment (contract §13.2).
 */
#ifndef INJECT_IDENTITY_H
#define INJECT_IDENTITY_H

#include "base/buf.h"

struct identity {
	const char *user;        /* never NULL */
	const char *host;        /* NULL: the default host */
	const char *name;        /* NULL or empty: none */
	const char *sender_user; /* never NULL */
	const char *sender_host; /* NULL: the default host */
	bool sender_null;        /* there is to be none */
};

/* Asks `variable` (as getenv) for $QMAILUSER and so on. The strings are the environment's own. */
struct identity identity_find(char *(*variable)(const char *));

/* The body of a From field, not yet rewritten: `"Name" <user@host>`, or `user@host (Name)` with as_comment. */
void identity_from(const struct identity *who, bool as_comment, struct buf *out);

/*
 * The default envelope sender, plain and not yet rewritten: user, then
 * `suffix` ("" or the "-TIME.PID" and "-" of $QMAILINJECT's letters), then the
 * host where there is one. "<>" where there is to be none.
 */
void identity_sender(const struct identity *who, struct str suffix, struct buf *out);

#endif

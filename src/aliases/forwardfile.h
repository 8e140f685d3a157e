/*
 * forwardfile: what a .forward file asks for (contract-companions §4.4). Pure.
 *
 * The whole file is understood before anything is done, so that a mistake in
 * its last line does not make the first one happen again and again.
 */
#ifndef ALIASES_FORWARDFILE_H
#define ALIASES_FORWARDFILE_H

#include "base/err.h"
#include "inject/addresses.h"
#include "inject/rewrite.h"

struct forwardfile {
	bool direct;                /* the user's own mailbox too */
	struct addresses programs;  /* commands, in order */
	struct addresses addresses; /* to forward to, complete */
};

#define FORWARDFILE_INIT ((struct forwardfile){ false, ADDRESSES_INIT, ADDRESSES_INIT })

/*
 * Adds what the text asks for. user and host are whose file it is: `user`,
 * `\user` and `user@host` mean direct delivery. False when it is malformed or
 * asks for what cannot be done.
 */
bool forwardfile_parse(struct str text, const struct rewrite_rules *rules, struct str user, struct str host,
		       struct forwardfile *f, struct err *e);

bool forwardfile_empty(const struct forwardfile *f);
void forwardfile_free(struct forwardfile *f);

#endif

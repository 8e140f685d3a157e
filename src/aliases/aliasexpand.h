/*
 * aliasexpand: whom mail for an alias goes to (contract-companions §4.1). No
 * I/O of its own.
 */
#ifndef ALIASES_ALIASEXPAND_H
#define ALIASES_ALIASEXPAND_H

#include "aliases/aliasrecord.h"
#include "inject/addresses.h"

/* What expansion asks of its caller. False ends it, with the reason. */
struct alias_source {
	void *ctx;
	/* A record of the database; *data lasts until the expansion is over. */
	bool (*find)(void *ctx, struct str key, bool *found, struct str *data, struct err *e);
	/* Appends the content of a binary mailing list. */
	bool (*list)(void *ctx, const char *path, struct buf *content, struct err *e);
	/* Runs a command: the instruction with its '|' or '!'. */
	bool (*program)(void *ctx, struct str instruction, struct err *e);
};

struct alias_expansion {
	bool found;             /* the recipient is an alias */
	struct buf sender;      /* in: the envelope sender; out: the alias's owner, if it has one */
	struct addresses final; /* whom to send the message to */
};

/*
 * Expands `recipient`. Programs are run as they are met, before any mail goes
 * out. An alias that leads only to itself is a permanent error.
 */
bool alias_expand(const struct alias_source *source, struct str recipient, struct alias_expansion *x, struct err *e);

#endif

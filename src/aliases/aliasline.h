/*
 * aliasline: one logical line of /etc/aliases, a mailing list, or a .forward
 * file: addresses, programs, files (contract-companions §4.3, §4.4). Pure.
 *
 * The words are those of address header fields. Colons, semicolons and commas
 * only separate, and may be missing where words follow one another.
 */
#ifndef ALIASES_ALIASLINE_H
#define ALIASES_ALIASLINE_H

#include "base/err.h"
#include "inject/rewrite.h"

enum alias_kind {
	ALIAS_ADDRESS,
	ALIAS_PROGRAM, /* |command */
	ALIAS_FILE,    /* /path */
	ALIAS_INCLUDE, /* :include:path */
};

struct alias_item {
	enum alias_kind kind;
	bool has_host;    /* ALIAS_ADDRESS: an '@' is written */
	struct str plain; /* the address as written; of the other kinds, what follows '|' or ":include:", or the path */
	struct str full;  /* ALIAS_ADDRESS: completed by the rules; else empty */
	struct buf memory; /* behind both views */
};

struct alias_items {
	struct alias_item *item; /* owned */
	size_t n, cap;
};

/*
 * Replaces *items by those of the line, in reading order. Without `includes`,
 * ":include:" is nothing special. False when the line is malformed.
 */
bool aliasline_parse(struct str line, const struct rewrite_rules *rules, bool includes, struct alias_items *items,
		     struct err *e);
void alias_items_free(struct alias_items *items);

/*
 * Calls each() for the items of all lines of a text until it returns false, those of a line from right to left, as it
 * always was: programs run in this order. Lines that begin with # are comments.
 */
bool aliasline_each(struct str text, const struct rewrite_rules *rules, bool includes,
		    bool (*each)(void *ctx, const struct alias_item *item, struct err *e), void *ctx, struct err *e);

#endif

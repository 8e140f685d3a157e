/*
 * rulelookup: which rule holds for a connection, and what it says
 * (contract-companions §1.3).
 *
 * The first key that exists counts; rules are never merged:
 *   info@ip, info@=host, ip, =host, a.b.c. a.b. a., address blocks from the
 *   longest, =.suffix from the longest, =, the empty key.
 */
#ifndef NETRULES_RULELOOKUP_H
#define NETRULES_RULELOOKUP_H

#include "base/buf.h"
#include "cdb/cdbfile.h"

struct rule_client {
	struct str ip; /* as text */
	bool has_host; /* a name is known */
	struct str host;
	bool has_info; /* IDENT gave something, perhaps the empty text */
	struct str info;
};

/* Calls each(ctx, key) for the keys to try, in order, until it returns false. Pure. */
void rulelookup_keys(const struct rule_client *c, bool (*each)(void *ctx, struct str key), void *ctx);

struct rule {
	bool found;
	struct buf key;   /* the one that was found; free it */
	struct str value; /* a view into the database */
};

#define RULE_INIT ((struct rule){ .key = BUF_INIT(65536) })

/* False: the database cannot be read. */
bool rulelookup_find(const struct cdbfile *rules, const struct rule_client *c, struct rule *rule, struct err *e);

enum rule_item { RULE_END, RULE_DENY, RULE_SET };

/* Takes the next item off a record's value; for RULE_SET *assignment is "VAR=value". Unknown items are skipped. Pure.
 */
enum rule_item rulelookup_next(struct str *value, struct str *assignment);

#endif

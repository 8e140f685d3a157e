/*
 * aliasdb: writing alias databases.
 */
#ifndef ALIASES_ALIASDB_H
#define ALIASES_ALIASDB_H

#include "base/err.h"
#include "cdb/cdbmaker.h"

/* An alias_record whose ctx is a cdbmaker. */
bool aliasdb_add(void *ctx, struct str key, struct str data, struct err *e);

/*
 * Ends a database: puts it in place when everything went well so far (`ok`),
 * else gives it up. True when it is in place.
 */
bool aliasdb_finish(struct cdbmaker *m, bool ok, struct err *e);

#endif

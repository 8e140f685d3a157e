#include "aliases/aliasdb.h"

bool aliasdb_add(void *ctx, struct str key, struct str data, struct err *e)
{
	struct cdbmaker *m = ctx;

	if (cdbmaker_add(m, key, data, e))
		return true;
	e->kind = ERR_TEMPORARY;
	return false;
}

bool aliasdb_finish(struct cdbmaker *m, bool ok, struct err *e)
{
	if (!ok) {
		cdbmaker_cancel(m);
		return false;
	}
	if (cdbmaker_finish(m, e))
		return true;
	e->kind = ERR_TEMPORARY;
	return false;
}

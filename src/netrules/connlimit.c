#include "netrules/connlimit.h"

static uint64_t limit(const char *text, uint64_t otherwise)
{
	return text ? str_leading_u64(str_of(text)) : otherwise;
}

bool connlimit_within(const struct connlimit *c, const char *(*get)(const void *ctx, const char *name), const void *ctx)
{
	const char *client = get(ctx, "MAXCONNIP");
	uint64_t per_client = limit(client ? client : get(ctx, "MAXPERIP"), c->per_client);
	uint64_t per_network = limit(get(ctx, "MAXCONNC"), 0);

	return (per_client == 0 || c->from_client <= per_client) &&
	       (per_network == 0 || c->from_network <= per_network);
}

uint64_t connlimit_network(const struct inetaddr *a)
{
	return inetaddr_client(a) >> (a->v6 ? 16 : 8);
}

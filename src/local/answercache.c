#include "local/answercache.h"

static void hash_name(const struct answercache *c, struct str name, uint64_t hash[2])
{
	struct buf lower = BUF_INIT(RECIPIENT_PACKET_MAX);

	buf_add_lower(&lower, name);
	for (int i = 0; i < 2; i++)
		hash[i] = hash_str(c->keys[i], buf_ok(&lower) ? buf_str(&lower) : name);
	buf_free(&lower);
}

void answercache_put(struct answercache *c, struct str name, struct recipient_finding f, int64_t now)
{
	bool found = f.answer == RECIPIENT_EXISTS || f.answer == RECIPIENT_MAY_EXIST;
	struct answercache_slot new = { .found = f };

	new.until = now + (found ? ANSWERCACHE_FOUND_MS : ANSWERCACHE_OTHER_MS);
	hash_name(c, name, new.name);
	c->slots[new.name[0] % ANSWERCACHE_SIZE] = new;
}

bool answercache_find(const struct answercache *c, struct str name, int64_t now, struct recipient_finding *f)
{
	const struct answercache_slot *s;
	uint64_t hash[2];

	hash_name(c, name, hash);
	s = &c->slots[hash[0] % ANSWERCACHE_SIZE];
	if (now >= s->until || s->name[0] != hash[0] || s->name[1] != hash[1])
		return false;
	*f = s->found;
	return true;
}

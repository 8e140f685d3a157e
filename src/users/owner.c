#include "users/owner.h"

static const char *put(struct buf *text, struct str a, struct str b)
{
	char *at = buf_room(text, a.n + b.n + 1);

	if (at == NULL)
		return NULL;
	buf_add(text, a);
	buf_add(text, b);
	buf_addc(text, 0);
	return at;
}

static enum owner_status fill(struct owner *o, const struct str field[4], struct str rest)
{
	size_t total = rest.n + 4;

	for (int i = 0; i < 4; i++)
		total += field[i].n;
	buf_clear(&o->text);
	/* All at once, so that the pointers below stay valid. */
	if (buf_room(&o->text, total) == NULL)
		return OWNER_TEMPORARY;
	o->user = put(&o->text, field[0], STR(""));
	o->home = put(&o->text, field[1], STR(""));
	o->dash = put(&o->text, field[2], STR(""));
	o->ext = put(&o->text, field[3], rest);
	return OWNER_FOUND;
}

enum owner_status owner_set(struct owner *o, struct str user, uid_t uid, gid_t gid, struct str home, struct str dash,
			    struct str ext)
{
	const struct str field[4] = { user, home, dash, ext };

	o->uid = uid;
	o->gid = gid;
	return fill(o, field, STR(""));
}

/* (uid_t)-1 means "no change" to the kernel and is no account. */
static bool account_number(struct str s, uint32_t *v)
{
	uint64_t n;

	if (!str_to_u64(s, &n) || n >= UINT32_MAX)
		return false;
	*v = (uint32_t)n;
	return true;
}

enum owner_status owner_decode(struct owner *o, struct str value, struct str rest)
{
	struct str user, uid, gid, strings[4];

	if (!str_cut(value, 0, &user, &value) || !str_cut(value, 0, &uid, &value) || !str_cut(value, 0, &gid, &value) ||
	    !str_cut(value, 0, &strings[1], &value) || !str_cut(value, 0, &strings[2], &value))
		return OWNER_DATABASE;
	strings[0] = user;
	strings[3] = value;
	if (!account_number(uid, &o->uid) || !account_number(gid, &o->gid) || str_chr(value, 0) < value.n ||
	    str_chr(rest, 0) < rest.n)
		return OWNER_DATABASE;
	return fill(o, strings, rest);
}

void owner_free(struct owner *o)
{
	buf_free(&o->text);
	*o = OWNER_INIT;
}

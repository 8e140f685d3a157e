#include "users/userdb.h"

#define LOCAL_MAX 2048

struct search {
	const struct cdbfile *db;
	struct str local;
	struct owner *o;
	struct err *e;
};

/* Tries the record `key`, which stands for the first n bytes of the address. */
static enum owner_status try(const struct search *s, struct str key, size_t n)
{
	enum owner_status status;
	struct str value;
	bool found;

	if (!cdbfile_find(s->db, key, &found, &value, s->e))
		return OWNER_DATABASE;
	if (!found)
		return OWNER_NONE;
	status = owner_decode(s->o, value, str_from(s->local, n));
	if (status == OWNER_DATABASE)
		err_temp(s->e, "users/cdb: malformed record for %.*s", STR_ARG(str_head(s->local, 100)));
	return status;
}

/*
 * The record with the empty key lists the last bytes of all prefixes. They
 * may be there as users/assign spells them, while addresses are compared in
 * lower case.
 */
static bool may_end_prefix(struct str set, char c)
{
	for (size_t i = 0; i < set.n; i++)
		if (chr_lower(set.p[i]) == c)
			return true;
	return false;
}

static enum owner_status search(const struct search *s, struct buf *key)
{
	enum owner_status status;
	struct str set = STR("");
	bool found;

	buf_addc(key, '!');
	buf_add_lower(key, s->local);
	buf_addc(key, 0);
	if (!buf_ok(key))
		return OWNER_NONE;
	status = try(s, buf_str(key), s->local.n);
	if (status != OWNER_NONE)
		return status;
	if (!cdbfile_find(s->db, STR(""), &found, &set, s->e))
		return OWNER_DATABASE;
	if (!found) {
		err_temp(s->e, "users/cdb: the list of prefix ends is missing; run qmail-newu");
		return OWNER_DATABASE;
	}
	for (size_t n = s->local.n; status == OWNER_NONE && n > 0; n--)
		if (may_end_prefix(set, key->p[n]))
			status = try(s, str_head(buf_str(key), n + 1), n);
	return status == OWNER_NONE ? try(s, STR("!"), 0) : status;
}

enum owner_status userdb_find(const struct cdbfile *db, struct str local, struct owner *o, struct err *e)
{
	struct search s = { db, local, o, e };
	struct buf key = BUF_INIT(LOCAL_MAX);
	enum owner_status status;

	if (!db->present)
		return OWNER_NONE;
	status = search(&s, &key);
	buf_free(&key);
	return status;
}

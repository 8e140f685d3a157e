#include "netrules/rulelookup.h"

#include "netrules/rulesource.h"

#define KEY_MAX 65536

struct trial {
	bool (*each)(void *ctx, struct str key);
	void *ctx;
	struct buf key;
	bool more;
};

static void try_parts(struct trial *t, struct str a, const char *between, struct str b)
{
	if (!t->more)
		return;
	buf_clear(&t->key);
	buf_add(&t->key, a);
	buf_addz(&t->key, between);
	buf_add(&t->key, b);
	if (buf_ok(&t->key))
		t->more = t->each(t->ctx, buf_str(&t->key));
}

static void try_prefixes(struct trial *t, struct str ip)
{
	for (size_t n = ip.n; n; n--)
		if (ip.p[n - 1] == '.')
			try_parts(t, str_head(ip, n), "", STR(""));
}

static void try_blocks(struct trial *t, struct str ip)
{
	struct buf bits = BUF_INIT(200);
	struct inetaddr a;

	if (!inetaddr_parse_ip(ip, &a))
		return;
	rulesource_add_bits(&a, a.v6 ? 128 : 32, &bits);
	for (size_t n = bits.n; n; n--)
		try_parts(t, str_head(buf_str(&bits), n), "", STR(""));
	buf_free(&bits);
}

static void try_suffixes(struct trial *t, struct str host)
{
	for (size_t i = 0; i < host.n; i++)
		if (host.p[i] == '.')
			try_parts(t, STR("="), "", str_from(host, i));
}

void rulelookup_keys(const struct rule_client *c, bool (*each)(void *ctx, struct str key), void *ctx)
{
	struct trial t = { .each = each, .ctx = ctx, .key = BUF_INIT(KEY_MAX), .more = true };

	if (c->has_info)
		try_parts(&t, c->info, "@", c->ip);
	if (c->has_info && c->has_host)
		try_parts(&t, c->info, "@=", c->host);
	try_parts(&t, c->ip, "", STR(""));
	if (c->has_host)
		try_parts(&t, STR("="), "", c->host);
	try_prefixes(&t, c->ip);
	try_blocks(&t, c->ip);
	if (c->has_host) {
		try_suffixes(&t, c->host);
		try_parts(&t, STR("="), "", STR(""));
	}
	try_parts(&t, STR(""), "", STR(""));
	buf_free(&t.key);
}

struct search {
	const struct cdbfile *rules;
	struct rule *rule;
	struct err *e;
	bool ok;
};

static bool look(void *ctx, struct str key)
{
	struct search *s = ctx;

	s->ok = cdbfile_find(s->rules, key, &s->rule->found, &s->rule->value, s->e);
	if (s->ok && s->rule->found)
		buf_add(&s->rule->key, key);
	return s->ok && !s->rule->found;
}

bool rulelookup_find(const struct cdbfile *rules, const struct rule_client *c, struct rule *rule, struct err *e)
{
	struct search s = { rules, rule, e, true };

	rule->found = false;
	buf_clear(&rule->key);
	rulelookup_keys(c, look, &s);
	return s.ok;
}

enum rule_item rulelookup_next(struct str *value, struct str *assignment)
{
	struct str item;

	/* What lacks its NUL is no item. */
	while (str_cut(*value, 0, &item, value)) {
		*assignment = str_from(item, 1);
		if (item.n && *item.p == 'D')
			return RULE_DENY;
		if (item.n && *item.p == '+')
			return RULE_SET;
	}
	return RULE_END;
}

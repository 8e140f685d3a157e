#include "route/destpolicies.h"

#define FILE_NAME "destinations"
#define KEY_MAX 300

static const struct str mx = { "mx/", 3 }, local = { "local/", 6 };

static bool check_line(struct str line, struct err *e)
{
	struct policy ignored = { 0 };
	struct str key, words;

	if (!str_cut(line, ':', &key, &words))
		return err_perm(e, "there is no colon");
	if (str_chr(key, ' ') < key.n || str_chr(key, '\t') < key.n)
		return err_perm(e, "there is a blank before the colon");
	if (str_chr(key, '/') < key.n && !str_istarts(key, mx) && !str_istarts(key, local))
		return err_perm(e, "\"%.*s\" is no destination", (int)(key.n < 100 ? key.n : 100), key.p);
	if (!policy_add(&ignored, words, e))
		return false;
	if (str_istarts(key, mx) && (ignored.has_retry || ignored.lifetime))
		return err_perm(e, "only concurrency and rate can be set for exchangers");
	return true;
}

/* Lines of the file up to this place in it. */
static size_t line_number(const char *text, const char *at)
{
	size_t n = 1;

	for (; text < at; text++)
		n += *text == '\n';
	return n;
}

static bool check_lines(struct destpolicies *p, struct err *e)
{
	const struct control_list *lines = &p->map.lines;
	bool ok = true;

	for (size_t i = 0; i < lines->n; i++) {
		struct err this;

		p->providers |= str_istarts(lines->items[i], mx);
		if (check_line(lines->items[i], &this) || !ok)
			continue;
		ok = err_perm(e, "control/" FILE_NAME " line %zu: %s", line_number(lines->text, lines->items[i].p),
			      this.text);
	}
	return ok;
}

bool destpolicies_load(struct destpolicies *p, struct err *e)
{
	*p = (struct destpolicies){ 0 };
	return control_map_load(FILE_NAME, &p->map, e) && check_lines(p, e);
}

void destpolicies_free(struct destpolicies *p)
{
	control_map_free(&p->map);
	p->providers = false;
}

/* The line for prefix + name; a bad line adds nothing. */
static bool add_line(const struct destpolicies *p, struct str prefix, struct str name, struct policy *policy)
{
	struct buf key = BUF_INIT(KEY_MAX);
	struct str words;
	struct err e;
	bool found;

	buf_add(&key, prefix);
	buf_add(&key, name);
	found = buf_ok(&key) && control_map_find(&p->map, buf_str(&key), &words);
	if (found)
		policy_add(policy, words, &e);
	buf_free(&key);
	return found;
}

/* Lines for the name and for what it is below, but not the default. *which gets the first one's key. */
static bool add_lines(const struct destpolicies *p, struct str prefix, struct str name, struct policy *policy,
		      struct str *which)
{
	bool any = false;

	for (size_t i = 0; i < name.n; i++) {
		if ((i && name.p[i] != '.') || !add_line(p, prefix, str_from(name, i), policy))
			continue;
		if (!any)
			*which = str_from(name, i);
		any = true;
	}
	return any;
}

void destpolicies_find(const struct destpolicies *p, int channel, struct str key, struct policy *policy)
{
	struct str which;

	if (p->map.lines.n == 0)
		return;
	if (channel == SCHED_LOCAL) {
		if (key.n)
			add_line(p, local, key, policy);
		add_line(p, local, STR(""), policy);
		return;
	}
	add_lines(p, STR(""), key, policy, &which);
	add_line(p, STR(""), STR(""), policy);
}

void destpolicies_provider(const struct destpolicies *p, struct str names, struct buf *provider, struct policy *policy)
{
	struct str rest = names, name, which;

	buf_clear(provider);
	while (rest.n && provider->n == 0) {
		str_cut(rest, ' ', &name, &rest);
		if (add_lines(p, mx, name, policy, &which))
			buf_add_lower(provider, which);
	}
	if (names.n && add_line(p, mx, STR(""), policy) && provider->n == 0)
		buf_add(provider, names);
}

#include "outbound/outsettings.h"

#include <stdlib.h>

#include "base/mem.h"

#define SECONDS_MAX (7u * 86400)

/* A timeout that is used as milliseconds in an int somewhere must stay far below its limits. */
static bool load_seconds(const char *name, uint64_t preset, uint64_t *value, struct err *e)
{
	*value = preset;
	if (!control_number(name, value, e))
		return false;
	if (*value == 0)
		*value = 1;
	if (*value > SECONDS_MAX)
		*value = SECONDS_MAX;
	return true;
}

static void parse_routes(struct outsettings *s)
{
	const struct control_list *lines = &s->smtproutes.lines;

	s->routes = mem_zero(lines->n, sizeof *s->routes);
	for (size_t i = 0; i < lines->n; i++) {
		struct str key, value;
		struct err e;

		str_cut(lines->items[i], ':', &key, &value);
		s->routes[i].bad = !relays_parse(&s->routes[i].relays, value, &e);
	}
}

const struct relays *outsettings_relays(const struct outsettings *s, struct str value)
{
	const struct outroute *route = &s->routes[control_map_line(&s->smtproutes, value)];

	return route->bad ? NULL : &route->relays;
}

static bool load_families(struct outsettings *s, struct err *e)
{
	const struct control_list *lines = &s->families.lines;

	if (!control_map_load("addressfamily", &s->families, e))
		return false;
	for (size_t i = 0; i < lines->n; i++) {
		struct str key, value;
		enum family f;

		if (!str_cut(lines->items[i], ':', &key, &value) || !family_parse(value, &f))
			return err_perm(
			    e, "control/addressfamily: line %zu does not end in :4, :6, :4only, :6only or :any", i + 1);
	}
	return true;
}

enum family outsettings_family(const struct outsettings *s, struct str domain)
{
	enum family f = FAMILY_ANY;
	struct str value;

	if (control_map_find_domain(&s->families, domain, &value) || control_map_find(&s->families, STR(""), &value))
		family_parse(value, &f);
	return f;
}

/* Behind those that the system knows. */
static bool load_more_own(struct outsettings *s, struct err *e)
{
	struct control_list list;
	bool ok = control_list_load("moreipme", &list, e);

	for (size_t i = 0; ok && i < list.n; i++) {
		struct peeraddress a;

		ok = peeraddress_parse(list.items[i], &a) ||
		     err_perm(e, "control/moreipme: line %zu is no IP address", i + 1);
		if (ok)
			ownaddresses_add(&s->own, &a);
	}
	control_list_free(&list);
	return ok;
}

static bool load(struct outsettings *s, struct err *e)
{
	bool present;

	if (!outidentities_load(&s->identities, e) || !control_line("me", &s->me, &present, e) ||
	    !control_map_load("smtproutes", &s->smtproutes, e) ||
	    !load_seconds("timeoutconnect", 60, &s->timeout_connect, e) ||
	    !load_seconds("timeoutremote", 1200, &s->timeout_remote, e))
		return false;
	s->per_host = 20;
	s->chunking = 1;
	if (!control_number("concurrencyperhost", &s->per_host, e) ||
	    !control_number("chunkingremote", &s->chunking, e) || !control_number("mxps", &s->mxps, e))
		return false;
	if (s->per_host == 0)
		s->per_host = 1;
	ownaddresses_load(&s->own);
	if (!load_families(s, e) || !load_more_own(s, e))
		return false;
	parse_routes(s);
	return tlshosts_load(&s->tls, e);
}

bool outsettings_load(struct outsettings *s, struct err *e)
{
	*s = (struct outsettings){ .me = BUF_INIT(1000) };
	if (!load(s, e)) {
		outsettings_free(s);
		return false;
	}
	return true;
}

void outsettings_free(struct outsettings *s)
{
	outidentities_free(&s->identities);
	buf_free(&s->me);
	for (size_t i = 0; s->routes && i < s->smtproutes.lines.n; i++)
		relays_free(&s->routes[i].relays);
	free(s->routes);
	control_map_free(&s->smtproutes);
	tlshosts_free(&s->tls);
	ownaddresses_free(&s->own);
	control_map_free(&s->families);
}

uint64_t outsettings_fingerprint(void)
{
	static const char *const files[] = {
		"me",         "helohost",    "smtproutes",     "timeoutconnect", "timeoutremote", "concurrencyperhost",
		"outgoingip", "outgoingips", "chunkingremote", "mxps",           "addressfamily", "moreipme"
	};

	return control_fingerprint(files, sizeof files / sizeof *files);
}

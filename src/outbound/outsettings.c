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
	ownaddresses_load(&s->own);
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
}

uint64_t outsettings_fingerprint(void)
{
	static const char *const files[] = { "me",
					     "helohost",
					     "smtproutes",
					     "timeoutconnect",
					     "timeoutremote",
					     "concurrencyperhost",
					     "outgoingip",
					     "outgoingips",
					     "chunkingremote",
					     "mxps" };

	return control_fingerprint(files, sizeof files / sizeof *files);
}

#include "outbound/outsettings.h"

#include <netinet/in.h>
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
	const struct control_list *lines = &s->smtproutes.lines;
	size_t low = 0, high = lines->n;

	/* Lines stand in memory in their order: the last one that begins before the value. */
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (lines->items[middle].p <= value.p)
			low = middle;
		else
			high = middle;
	}
	return s->routes[low].bad ? NULL : &s->routes[low].relays;
}

static bool load_outgoing(struct outsettings *s, struct err *e)
{
	struct control_list list;
	bool ok = control_list_load("outgoingip", &list, e);

	for (size_t i = 0; ok && i < list.n; i++) {
		struct peeraddress a;

		ok = peeraddress_parse(list.items[i], &a) ||
		     err_perm(e, "control/outgoingip: line %zu is no IP address", i + 1);
		if (!ok)
			break;
		s->outgoing[a.v6] = a;
		s->has_outgoing[a.v6] = true;
	}
	control_list_free(&list);
	return ok;
}

bool outsettings_bind(const struct outsettings *s, int fd, bool v6)
{
	struct sockaddr_storage sa;
	socklen_t len;
	int on = 1;

	if (!s->has_outgoing[v6])
		return true;
	len = peeraddress_sockaddr(&s->outgoing[v6], 0, &sa);
	/* Else ports would run out at a fraction of the connections that one address can have. */
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
	return bind(fd, (struct sockaddr *)&sa, len) == 0;
}

static bool load(struct outsettings *s, struct err *e)
{
	bool present;

	if (!control_line_or_me("helohost", "", &s->helo, e) || !control_line("me", &s->me, &present, e) ||
	    !control_map_load("smtproutes", &s->smtproutes, e) ||
	    !load_seconds("timeoutconnect", 60, &s->timeout_connect, e) ||
	    !load_seconds("timeoutremote", 1200, &s->timeout_remote, e))
		return false;
	s->per_host = 20;
	s->chunking = 1;
	if (!control_number("concurrencyperhost", &s->per_host, e) ||
	    !control_number("chunkingremote", &s->chunking, e))
		return false;
	if (s->per_host == 0)
		s->per_host = 1;
	if (s->helo.n == 0)
		return err_perm(e, "no name for HELO: put this host's name into control/me");
	if (str_has_control(buf_str(&s->helo)))
		return err_perm(e, "control/helohost has control characters");
	if (!load_outgoing(s, e))
		return false;
	parse_routes(s);
	return tlshosts_load(&s->tls, e);
}

bool outsettings_load(struct outsettings *s, struct err *e)
{
	*s = (struct outsettings){ .helo = BUF_INIT(1000), .me = BUF_INIT(1000) };
	if (!load(s, e)) {
		outsettings_free(s);
		return false;
	}
	ownaddresses_load(&s->own);
	return true;
}

void outsettings_free(struct outsettings *s)
{
	buf_free(&s->helo);
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
	static const char *const files[] = {
		"me",         "helohost",      "smtproutes", "timeoutconnect", "timeoutremote", "concurrencyperhost",
		"outgoingip", "chunkingremote"
	};

	return control_fingerprint(files, sizeof files / sizeof *files);
}

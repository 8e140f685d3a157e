#include "resolver/upstream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unbound-event.h>
#include <unbound.h>
#include <unistd.h>

#include "base/mem.h"
#include "conf/control.h"
#include "dnsmessage/dnsname.h"
#include "sys/io.h"

static const struct {
	const char *name, *value;
} options[] = {
	{ "use-syslog:", "no" },
	{ "chroot:", "" },
	{ "do-not-query-localhost:", "no" },
	{ "edns-buffer-size:", "1232" },
	{ "minimal-responses:", "yes" },
	{ "msg-cache-size:", "16m" },
	{ "rrset-cache-size:", "32m" },
	{ "cache-max-ttl:", "86400" },
	{ "cache-max-negative-ttl:", "300" },
	{ "num-queries-per-thread:", "2048" },
	{ "outgoing-range:", "900" },
	{ "outgoing-num-tcp:", "64" },
	/* A server that was down is asked again soon: mail waits for it. */
	{ "infra-host-ttl:", "60" },
	{ "infra-keep-probing:", "yes" },
	/* Tells the root which keys we know; it is not needed for mail. */
	{ "trust-anchor-signaling:", "no" },
	/* Private addresses have names too; what the servers say of them is right. */
	{ "unblock-lan-zones:", "yes" },
	{ "insecure-lan-zones:", "yes" },
};

/* Zones that the library answers by itself unless told otherwise. */
static const char *const builtin_zones[] = { "test.", "invalid.", "home.arpa." };

/*
 * Names for private networks (RFC 6762 appendix G and what became of it). The public root proves that they do not
 * exist; what the network's own servers say of them is right all the same.
 */
static const char *const private_zones[] = { "local.", "internal.", "intranet.",    "private.",  "corp.",
					     "home.",  "lan.",      "localdomain.", "home.arpa." };

/* A link-local address has its interface behind a percent sign. */
static bool address_valid(struct str s)
{
	size_t scope = str_chr(s, '%');
	unsigned char bytes[16];
	char text[64];

	if (scope + 1 == s.n || s.n - scope > 16 || str_has_control(s))
		return false;
	s = str_head(s, scope);

	if (s.n >= sizeof text)
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = 0;
	return inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1;
}

/* "[v6]", "[v6]:port", "ip@port", "v4:port", "ip" into the two parts. */
static void split_server(struct str line, struct str *ip, struct str *port)
{
	*port = STR("53");
	if (line.n && *line.p == '[') {
		struct str rest;

		str_cut(str_from(line, 1), ']', ip, &rest);
		if (rest.n)
			*port = *rest.p == ':' || *rest.p == '@' ? str_from(rest, 1) : STR("");
		return;
	}
	if (str_chr(line, '@') < line.n) {
		str_cut(line, '@', ip, port);
		return;
	}
	*ip = line;
	if (str_chr(line, ':') < line.n && str_chr(line, ':') == str_rchr(line, ':'))
		str_cut(line, ':', ip, port);
}

bool upstream_server(struct str line, struct buf *out)
{
	struct str ip, port;
	uint64_t number;

	split_server(line, &ip, &port);
	if (!address_valid(ip) || !str_to_u64(port, &number) || number == 0 || number > 65535)
		return false;
	buf_add(out, ip);
	buf_addc(out, '@');
	buf_addu(out, number);
	return true;
}

/* `add` tells the library of the server; its result is the library's. */
static bool add_server(struct upstream *u, struct str line, int (*add)(struct ub_ctx *ctx, const char *server),
		       struct err *e)
{
	struct buf server = BUF_INIT(100);
	bool ok = upstream_server(line, &server) && add(u->ctx, buf_cstr(&server)) == 0;

	if (ok) {
		buf_addz(&u->servers, u->servers.n ? ", " : "");
		buf_add(&u->servers, buf_str(&server));
	}
	buf_free(&server);
	if (!ok)
		return err_perm(e, "%.*s is not the IP address of a name server", STR_ARG(str_head(line, 100)));
	return true;
}

static int add_forwarder(struct ub_ctx *ctx, const char *server)
{
	return ub_ctx_set_fwd(ctx, server);
}

/* The servers that know of the root are asked for all of its servers first. */
static int add_root(struct ub_ctx *ctx, const char *server)
{
	return ub_ctx_set_stub(ctx, ".", server, 1);
}

/* `nameserver IP` lines; what cannot be read or understood is as if it were not there. */
static void use_resolv_conf(struct upstream *u)
{
	struct buf text = BUF_INIT(65536);
	struct str rest, line;
	struct err ignored;
	int fd = open(UPSTREAM_RESOLV_CONF, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd == -1)
		return;
	if (io_read_rest(fd, &text)) {
		rest = buf_str(&text);
		while (str_next_line(&rest, &line)) {
			if (!str_starts(line, STR("nameserver")))
				continue;
			line = str_trim_end(str_trim_start(str_from(line, sizeof "nameserver" - 1)));
			add_server(u, line, add_forwarder, &ignored);
		}
	}
	close(fd);
	buf_free(&text);
}

static bool use_roots(struct upstream *u, struct err *e)
{
	struct control_list list;
	bool ok;

	if (!control_list_load("dnsroots", &list, e))
		return false;
	ok = true;
	for (size_t i = 0; ok && i < list.n; i++)
		ok = add_server(u, list.items[i], add_root, e) || err_context(e, "control/dnsroots");
	control_list_free(&list);
	if (u->servers.n == 0)
		buf_addz(&u->servers, "the root servers");
	buf_addz(&u->servers, " (recursive)");
	return ok;
}

static bool use_servers(struct upstream *u, struct err *e)
{
	struct control_list list;
	bool ok, recursive;

	if (!control_list_load("dnsservers", &list, e))
		return false;
	recursive = list.n == 1 && str_ieq(list.items[0], STR("recursive"));
	ok = true;
	for (size_t i = 0; ok && !recursive && i < list.n; i++)
		ok = add_server(u, list.items[i], add_forwarder, e) || err_context(e, "control/dnsservers");
	if (list.n == 0)
		use_resolv_conf(u);
	control_list_free(&list);
	return ok && (u->servers.n || use_roots(u, e));
}

static bool use_insecure(struct upstream *u, struct err *e)
{
	struct control_list list;
	bool ok;

	if (!control_list_load("dnsinsecure", &list, e))
		return false;
	ok = true;
	for (size_t i = 0; ok && i < list.n; i++) {
		char *zone = mem_copy(list.items[i]);

		ok = (dnsname_text_valid(list.items[i]) && ub_ctx_set_option(u->ctx, "domain-insecure:", zone) == 0) ||
		     err_perm(e, "control/dnsinsecure: %.100s is not a domain name", zone);
		free(zone);
	}
	control_list_free(&list);
	return ok;
}

static bool use_anchor(struct upstream *u, const struct trustanchor *anchor, struct err *e)
{
	if (anchor == NULL)
		return true;
	for (size_t i = 0; i < sizeof private_zones / sizeof *private_zones; i++)
		ub_ctx_set_option(u->ctx, "domain-insecure:", private_zones[i]);
	if (!use_insecure(u, e))
		return false;
	return ub_ctx_add_ta_file(u->ctx, anchor->path) == 0 ||
	       err_perm(e, "unable to use the trust anchor in %s", anchor->path);
}

static bool set_options(struct upstream *u, struct err *e)
{
	for (size_t i = 0; i < sizeof options / sizeof *options; i++)
		if (ub_ctx_set_option(u->ctx, options[i].name, options[i].value) != 0)
			return err_perm(e, "the resolver library refuses the option %s", options[i].name);
	/* As long a chain of aliases as we follow in one answer; older versions of the library lack this. */
	ub_ctx_set_option(u->ctx, "max-query-restarts:", "16");
	return true;
}

static bool configure(struct upstream *u, const struct trustanchor *anchor, struct err *e)
{
	if (!set_options(u, e) || !use_servers(u, e) || !use_anchor(u, anchor, e))
		return false;
	/* The first change of a zone makes the configuration final, so this comes last. */
	for (size_t i = 0; i < sizeof builtin_zones / sizeof *builtin_zones; i++)
		if (ub_ctx_zone_remove(u->ctx, builtin_zones[i]) != 0)
			return err_perm(e, "the resolver library refuses its configuration%s%s",
					anchor ? "; is this a trust anchor: " : "", anchor ? anchor->path : "");
	return true;
}

bool upstream_new(struct event_base *base, const struct trustanchor *anchor, struct upstream **out, struct err *e)
{
	struct upstream *u = mem_zero(1, sizeof *u);

	u->servers = BUF_INIT(2000);
	u->ctx = ub_ctx_create_event(base);
	if (u->ctx == NULL) {
		free(u);
		return err_temp(e, "unable to set up the resolver library");
	}
	/* Its own complaints would fill the log with single packets' troubles. */
	ub_ctx_debugout(u->ctx, NULL);
	if (!configure(u, anchor, e)) {
		upstream_free(u);
		return false;
	}
	*out = u;
	return true;
}

void upstream_free(struct upstream *u)
{
	if (u == NULL)
		return;
	ub_ctx_delete(u->ctx);
	buf_free(&u->servers);
	free(u);
}

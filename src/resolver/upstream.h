/*
 * upstream: the resolver library (libunbound) set up by our control files.
 *
 * Queries go to the servers in control/dnsservers: one a line, an IPv4 or
 * IPv6 address, with `@port` or (IPv6 in brackets) `:port` behind it where
 * that is not 53. The one word `recursive` asks the name servers of each
 * domain directly, from the root. Without the file the servers of
 * /etc/resolv.conf are used, and without those it is recursive.
 *
 * The root is where the library knows it, or at the addresses in
 * control/dnsroots, in the same form, for a network with a root of its own.
 *
 * EDNS, the change to TCP, caching and retries are the library's. It never
 * asks ANY. Names below those in control/dnsinsecure, and below a few that
 * the public root does not have, need no signatures.
 */
#ifndef RESOLVER_UPSTREAM_H
#define RESOLVER_UPSTREAM_H

#include "base/buf.h"
#include "base/err.h"
#include "resolver/trustanchor.h"

#define UPSTREAM_RESOLV_CONF "/etc/resolv.conf"

struct event_base;
struct ub_ctx;

struct upstream {
	struct ub_ctx *ctx;
	size_t under_way;   /* questions that the library has not called back for */
	struct buf servers; /* in words, for the log */
	void *owner;        /* the caller's */
};

/*
 * Reads the control files. Signatures are checked from the anchor, which may be NULL for not at all. *out is to be
 * freed with upstream_free.
 */
bool upstream_new(struct event_base *base, const struct trustanchor *anchor, struct upstream **out, struct err *e);

/* Not from within one of its callbacks. */
void upstream_free(struct upstream *u);

/*
 * Appends the server named by a line of control/dnsservers in the form
 * IP@PORT; false when the line does not name one.
 */
bool upstream_server(struct str line, struct buf *out);

#endif

/*
 * upstream: the resolver library (libunbound) set up by our control files.
 *
 * Queries go to the servers in control/dnsservers: one a line, an IPv4 or
 * IPv6 address, with `@port` or (IPv6 in brackets) `:port` behind it where
 * that is not 53. The one word `recursive` asks the name servers of each
 * domain directly, from the root. Without the file the servers of
 * /etc/resolv.conf are used, and without those it is recursive.
 *
 * EDNS, the change to TCP, caching and retries are the library's. It never
 * asks ANY. control/dnsanchor (DS or DNSKEY records, as in a zone file) turns
 * validation on.
 */
#ifndef RESOLVER_UPSTREAM_H
#define RESOLVER_UPSTREAM_H

#include "base/buf.h"
#include "base/err.h"

struct event_base;
struct ub_ctx;

struct upstream {
	struct ub_ctx *ctx;
	size_t under_way;   /* questions that the library has not called back for */
	bool retired;       /* replaced by a newer one; goes when nothing is under way */
	struct buf servers; /* in words, for the log */
};

/* Reads the control files. *out is to be freed with upstream_free. */
bool upstream_new(struct event_base *base, struct upstream **out, struct err *e);

/* Not from within one of its callbacks. */
void upstream_free(struct upstream *u);

/*
 * Appends the server named by a line of control/dnsservers in the form
 * IP@PORT; false when the line does not name one.
 */
bool upstream_server(struct str line, struct buf *out);

#endif

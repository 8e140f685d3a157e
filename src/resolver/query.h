/*
 * query: single questions to DNS: control/hosts, then the resolver library.
 *
 * Holds what the control files configure and can read it again while
 * questions are under way. Where there is a trust anchor, it finds out first
 * whether the servers pass signatures on: if so, answers are checked; if not,
 * mail goes on without, the log says so once, and it looks again from time to
 * time.
 */
#ifndef RESOLVER_QUERY_H
#define RESOLVER_QUERY_H

#include "base/err.h"
#include "dnsmessage/dnspacket.h"

#define QUERY_ALL_MAX 4000    /* under way in the process */
#define QUERY_PROBE_SECONDS 5 /* for finding out about signatures; questions wait for that long at most */

struct event_base;
struct queries;

enum query_source { QUERY_HOSTS, QUERY_CACHE, QUERY_SERVERS };

struct query_result {
	struct dnspacket_set set; /* the receiver's, to be freed */
	enum dns_security security;
	enum query_source source;
	char why[DNS_WHY_MAX]; /* words, when set.outcome is DNS_TEMPORARY */
};

/* What a query was for: two pointers of the asker's. */
struct query_for {
	void *asker, *part;
};

/* May come from within query_start. */
typedef void query_done(struct query_for f, enum dns_type type, struct query_result *r);

/*
 * `log` gets single lines, `ready` is called when queries_ready becomes true. False: a control file is wrong, or no
 * memory for the library.
 */
bool queries_new(struct event_base *base, void (*log)(const char *text), void (*ready)(void *ctx), void *ctx,
		 struct queries **out, struct err *e);
void queries_free(struct queries *all);

/* Reads the control files again; on an error the old ones stay in use. */
bool queries_reload(struct queries *all, struct err *e);

/* About once a second: clean-up; and the control files are read again when one of them was changed. */
void queries_tick(struct queries *all);

/* False while it is not known whether answers can be checked: ask later. */
bool queries_ready(const struct queries *all);

/* The servers in words; valid until the next tick or reload. */
const char *queries_servers(struct queries *all);

/* Seconds for one question of another process in all (control/timeoutdns). */
int queries_seconds(const struct queries *all);

/* Calls done once. The name must be a domain name, and type one of the DNS's own. */
void query_start(struct queries *all, struct str name, enum dns_type type, query_done *done, struct query_for f);

/* Nothing comes back for this asker any more. */
void query_forget(struct queries *all, const void *asker);

#endif

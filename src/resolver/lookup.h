/*
 * lookup: one question of another process, from the first query to the answer.
 *
 * A lookup makes as many DNS queries as its question needs (DNS_MAIL: MX,
 * then A and AAAA of the exchangers), under one time limit; what has some of
 * the addresses waits only a little for the others. Only a clean "no
 * such name" or "no such data" becomes a definite outcome; everything else is
 * temporary.
 */
#ifndef RESOLVER_LOOKUP_H
#define RESOLVER_LOOKUP_H

#include "base/err.h"
#include "dns/dnsanswer.h"

#define LOOKUP_PARALLEL 20   /* queries of one question under way at once */
#define LOOKUP_PATIENCE 5000 /* milliseconds for the other addresses, when there are some */

struct event_base;
struct lookups;
struct lookup;

/* The answer is valid during the call, which may come from within lookup_start, and which starts no lookup itself. */
typedef void lookup_done(void *ctx, const struct dns_answer *a);

/* `log` gets single lines. False: a control file is wrong, or no memory for the library. */
bool lookups_new(struct event_base *base, void (*log)(const char *text), struct lookups **out, struct err *e);
void lookups_free(struct lookups *all);

/* Reads the control files again; on an error the old servers stay in use. */
bool lookups_reload(struct lookups *all, struct err *e);

/* The caller calls this about once a second: time limits, clean-up, control files that were changed. */
void lookups_tick(struct lookups *all);

/*
 * The question's name is copied. Calls done exactly once, unless cancelled.
 * NULL when it was called already.
 */
struct lookup *lookup_start(struct lookups *all, const struct dns_question *q, lookup_done *done, void *ctx);
void lookup_cancel(struct lookup *l);

#endif

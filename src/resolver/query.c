#include "resolver/query.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unbound-event.h>
#include <unbound.h>

#include "base/hash.h"
#include "base/mem.h"
#include "conf/control.h"
#include "resolver/dnshosts.h"
#include "resolver/upstream.h"
#include "sys/clock.h"

#define SECONDS_MAX 30      /* askers wait for 35 */
#define LOOK_AGAIN_MS 60000 /* after the servers were found not to pass signatures */
#define OLD_MAX 8           /* configurations before, until nothing is under way there */

enum { CLASS_IN = 1, RR_DNSKEY = 48, RCODE_OK = 0, RCODE_NO_NAME = 3, BOGUS = 1, SECURE = 2 };

enum checking {
	CHECK_NEVER, /* there is no trust anchor */
	CHECK_UNKNOWN,
	CHECK_ALWAYS,
	CHECK_UNABLE, /* the servers do not pass signatures */
};

/* What the library calls back with; outlives its asker when that gave up. */
struct query {
	struct query *prev, *next;
	struct queries *all;
	struct upstream *upstream;
	struct query_for f; /* asker NULL: nobody waits any more */
	enum dns_type type;
	query_done *done;
	struct str name; /* owned */
	bool starting;   /* inside query_start */
	bool ended;
};

struct queries {
	struct event_base *base;
	void (*log)(const char *text);
	void (*ready)(void *ctx);
	void *ctx;
	struct dnshosts hosts;
	struct trustanchor anchor;
	uint64_t seconds;
	struct upstream *upstream;  /* that questions go to */
	struct upstream *candidate; /* checks signatures; asked for the anchor's keys, NULL: none */
	struct upstream *old[OLD_MAX];
	enum checking checking;
	bool probing;      /* the candidate's answer has not come */
	int64_t decide_at; /* no longer unknown then */
	int64_t probe_at;  /* the next try */
	size_t under_way;
	struct query ring; /* head */
	uint64_t fingerprint;
};

static void __attribute__((format(printf, 2, 3))) say(struct queries *all, const char *fmt, ...)
{
	char text[900];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	all->log(text);
}

static bool retire(struct queries *all, struct upstream *u)
{
	for (size_t i = 0; u && i < OLD_MAX; i++)
		if (all->old[i] == NULL) {
			all->old[i] = u;
			return true;
		}
	return u == NULL;
}

static bool room_to_retire(const struct queries *all)
{
	size_t room = 0;

	for (size_t i = 0; i < OLD_MAX; i++)
		room += all->old[i] == NULL;
	return room >= 2;
}

/* ---- does the upstream pass signatures? ------------------------------------------------- */

static void decide(struct queries *all, enum checking checking)
{
	bool was_ready = queries_ready(all);

	all->checking = checking;
	all->probe_at = clock_monotonic_ms() + LOOK_AGAIN_MS;
	if (!was_ready)
		all->ready(all->ctx);
}

static void probed(void *arg, int rcode, void *packet, int length, int sec, char *why_bogus, int ratelimited)
{
	struct upstream *u = arg;
	struct queries *all = u->owner;
	bool first = all && all->checking == CHECK_UNKNOWN;

	(void)packet, (void)length, (void)ratelimited;
	u->under_way--;
	if (all == NULL || u != all->candidate)
		return;
	all->probing = false;
	if (sec == SECURE && rcode == RCODE_OK) {
		retire(all, all->upstream);
		all->upstream = u;
		all->candidate = NULL;
		say(all, "checking signatures, from the trust anchor in %s", all->anchor.path);
		decide(all, CHECK_ALWAYS);
		return;
	}
	if (sec != BOGUS && first) {
		/* No answer says nothing about signatures. */
		all->probe_at = clock_monotonic_ms() + 500;
		return;
	}
	retire(all, u);
	all->candidate = NULL;
	if (first && sec == BOGUS)
		say(all,
		    "warning: working without DNSSEC: the keys of %s do not fit the trust anchor in %s, or the servers"
		    " do not pass signatures on (%.200s)",
		    all->anchor.owner, all->anchor.path, why_bogus ? why_bogus : "bogus");
	decide(all, CHECK_UNABLE);
}

static void probe(struct queries *all)
{
	struct upstream *u = all->candidate;

	u->owner = all;
	u->under_way++;
	all->probing = true;
	if (ub_resolve_event(u->ctx, all->anchor.owner, RR_DNSKEY, CLASS_IN, u, probed, NULL) == 0)
		return;
	u->under_way--;
	all->probing = false;
	all->probe_at = clock_monotonic_ms() + LOOK_AGAIN_MS;
}

static void probe_again(struct queries *all, int64_t now)
{
	struct err ignored;

	if (all->checking == CHECK_UNKNOWN && now >= all->decide_at) {
		say(all, "warning: working without DNSSEC until the servers answer for the keys of %s",
		    all->anchor.owner);
		decide(all, CHECK_UNABLE);
	}
	if (all->checking == CHECK_NEVER || all->checking == CHECK_ALWAYS || all->probing || now < all->probe_at)
		return;
	all->probe_at = now + LOOK_AGAIN_MS;
	if (all->candidate == NULL &&
	    !(room_to_retire(all) && upstream_new(all->base, &all->anchor, &all->candidate, &ignored)))
		return;
	probe(all);
}

/* ---- configuration --------------------------------------------------------------------- */

struct configuration {
	struct dnshosts hosts;
	struct trustanchor anchor;
	uint64_t seconds;
	struct upstream *plain, *candidate;
};

static uint64_t fingerprint(void)
{
	static const char *const files[] = {
		"dnsservers", "dnsroots", "dnsanchor", "dnsinsecure", "hosts", "timeoutdns"
	};
	uint64_t sum = control_fingerprint(files, sizeof files / sizeof *files);
	struct stat st;

	if (stat(UPSTREAM_RESOLV_CONF, &st) == 0)
		sum = hash_u64(sum + (uint64_t)st.st_ino + hash_u64((uint64_t)st.st_mtim.tv_sec) +
			       (uint64_t)st.st_mtim.tv_nsec);
	return sum;
}

static bool read_files(struct queries *all, struct configuration *c, struct err *e)
{
	c->seconds = SECONDS_MAX;
	if (!dnshosts_load(&c->hosts, e) || !trustanchor_find(&c->anchor, e) ||
	    !control_number("timeoutdns", &c->seconds, e))
		return false;
	if (c->seconds == 0 || c->seconds > SECONDS_MAX)
		c->seconds = c->seconds ? SECONDS_MAX : 1;
	return upstream_new(all->base, NULL, &c->plain, e) &&
	       (c->anchor.path == NULL || upstream_new(all->base, &c->anchor, &c->candidate, e));
}

static bool configure(struct queries *all, struct err *e)
{
	struct configuration c = { 0 };

	all->fingerprint = fingerprint();
	if (!read_files(all, &c, e)) {
		dnshosts_free(&c.hosts);
		upstream_free(c.plain);
		return false;
	}
	dnshosts_free(&all->hosts);
	all->hosts = c.hosts;
	all->anchor = c.anchor;
	all->seconds = c.seconds;
	retire(all, all->upstream);
	retire(all, all->candidate);
	all->upstream = c.plain;
	all->candidate = c.candidate;
	all->probing = false;
	say(all, "asking %.500s", buf_cstr(&c.plain->servers));
	all->checking = c.candidate ? CHECK_UNKNOWN : CHECK_NEVER;
	all->decide_at = clock_monotonic_ms() + QUERY_PROBE_SECONDS * 1000;
	if (c.candidate)
		probe(all);
	else
		all->ready(all->ctx);
	return true;
}

bool queries_new(struct event_base *base, void (*log)(const char *text), void (*ready)(void *ctx), void *ctx,
		 struct queries **out, struct err *e)
{
	struct queries *all = mem_zero(1, sizeof *all);

	all->base = base;
	all->log = log;
	all->ready = ready;
	all->ctx = ctx;
	all->ring.prev = all->ring.next = &all->ring;
	*out = all;
	if (configure(all, e))
		return true;
	*out = NULL;
	free(all);
	return false;
}

bool queries_reload(struct queries *all, struct err *e)
{
	if (!room_to_retire(all))
		return err_temp(e, "too many reloads while questions are under way");
	return configure(all, e);
}

static void query_free(struct query *q)
{
	q->prev->next = q->next;
	q->next->prev = q->prev;
	free((void *)(uintptr_t)q->name.p);
	free(q);
}

void queries_free(struct queries *all)
{
	if (all == NULL)
		return;
	/* Deleting the library's contexts calls nothing back. */
	for (size_t i = 0; i < OLD_MAX; i++)
		upstream_free(all->old[i]);
	upstream_free(all->candidate);
	upstream_free(all->upstream);
	while (all->ring.next != &all->ring)
		query_free(all->ring.next);
	dnshosts_free(&all->hosts);
	free(all);
}

static void reload_if_changed(struct queries *all)
{
	struct err e;

	if (fingerprint() != all->fingerprint && room_to_retire(all) && !configure(all, &e))
		say(all, "warning: unable to use the new control files: %s", e.text);
}

void queries_tick(struct queries *all)
{
	reload_if_changed(all);
	for (size_t i = 0; i < OLD_MAX; i++)
		if (all->old[i] && all->old[i]->under_way == 0) {
			upstream_free(all->old[i]);
			all->old[i] = NULL;
		}
	probe_again(all, clock_monotonic_ms());
}

bool queries_ready(const struct queries *all)
{
	return all->checking != CHECK_UNKNOWN;
}

const char *queries_servers(struct queries *all)
{
	return buf_cstr(&all->upstream->servers);
}

int queries_seconds(const struct queries *all)
{
	return (int)all->seconds;
}

/* ---- questions ------------------------------------------------------------------------- */

static void __attribute__((format(printf, 2, 3))) explain(struct query_result *r, const char *fmt, ...)
{
	va_list ap;

	r->set.outcome = DNS_TEMPORARY;
	va_start(ap, fmt);
	vsnprintf(r->why, sizeof r->why, fmt, ap);
	va_end(ap);
}

static void read_answer(const struct query *q, int rcode, struct str packet, int sec, const char *why_bogus,
			struct query_result *r)
{
	struct str name = str_head(q->name, 200);

	if (sec == BOGUS) {
		r->security = DNS_BOGUS;
		explain(r, "the signatures of %.*s are wrong (%.60s)", STR_ARG(name), why_bogus ? why_bogus : "bogus");
		return;
	}
	r->security = sec == SECURE ? DNS_SECURE : DNS_INSECURE;
	/* Failures come with words of their own or as packets, depending on who failed; it is the same for mail. */
	if (rcode == RCODE_OK && packet.n > 3)
		rcode = packet.p[3] & 15;
	if (rcode != RCODE_OK && rcode != RCODE_NO_NAME) {
		explain(r, "the name servers of %.*s did not give an answer", STR_ARG(name));
		return;
	}
	dnspacket_read(packet, q->type, &r->set);
	if (r->set.outcome == DNS_TEMPORARY)
		explain(r, "%.*s: %s", STR_ARG(name), r->set.why);
}

static void tell(struct query *q, struct query_result *r)
{
	if (r->set.total > r->set.n)
		say(q->all, "%.*s has %zu records of one type; the first %zu are used", STR_ARG(str_head(q->name, 200)),
		    r->set.total, r->set.n);
	q->done(q->f, q->type, r);
}

static void answered(void *arg, int rcode, void *packet, int length, int sec, char *why_bogus, int ratelimited)
{
	struct query_result r = { .set.outcome = DNS_TEMPORARY };
	struct query *q = arg;
	struct str bytes = { packet, packet && length > 0 ? (size_t)length : 0 };

	(void)ratelimited;
	q->upstream->under_way--;
	q->ended = true;
	if (q->f.asker) {
		q->all->under_way--;
		r.source = q->starting ? QUERY_CACHE : QUERY_SERVERS;
		read_answer(q, rcode, bytes, sec, why_bogus, &r);
		tell(q, &r);
	}
	if (!q->starting)
		query_free(q);
}

static struct query *query_new(struct queries *all, struct str name, enum dns_type type, query_done *done,
			       struct query_for f)
{
	struct query *q = mem_zero(1, sizeof *q);

	*q = (struct query){
		.all = all, .upstream = all->upstream, .f = f, .type = type, .done = done, .starting = true
	};
	q->name = (struct str){ mem_copy(name), name.n };
	q->next = &all->ring;
	q->prev = all->ring.prev;
	q->prev->next = q->next->prev = q;
	return q;
}

/* An answer without the library. */
static void answer_at_once(struct query *q, struct query_result *r)
{
	q->ended = true;
	tell(q, r);
	query_free(q);
}

void query_start(struct queries *all, struct str name, enum dns_type type, query_done *done, struct query_for f)
{
	struct query *q = query_new(all, name, type, done, f);
	struct query_result r = { .set.outcome = DNS_TEMPORARY };
	int failed;

	if (dnshosts_find(&all->hosts, name, type, &r.set)) {
		r.source = QUERY_HOSTS;
		answer_at_once(q, &r);
		return;
	}
	if (all->under_way >= QUERY_ALL_MAX) {
		explain(&r, "too many DNS queries are under way");
		answer_at_once(q, &r);
		return;
	}
	all->under_way++;
	q->upstream->under_way++;
	failed = ub_resolve_event(q->upstream->ctx, q->name.p, dnspacket_rrtype(type), CLASS_IN, q, answered, NULL);
	q->starting = false;
	if (failed) {
		/* The callback does not come. */
		all->under_way--;
		q->upstream->under_way--;
		explain(&r, "the resolver failed: %s", ub_strerror(failed));
		answer_at_once(q, &r);
	} else if (q->ended) {
		query_free(q);
	}
}

void query_forget(struct queries *all, const void *asker)
{
	for (struct query *q = all->ring.next; q != &all->ring; q = q->next)
		if (q->f.asker == asker) {
			if (!q->ended)
				all->under_way--;
			q->f.asker = NULL;
		}
}

#include "resolver/lookup.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unbound-event.h>
#include <unbound.h>

#include "base/mem.h"
#include "dnsmessage/dnsname.h"
#include "dnsmessage/dnspacket.h"
#include "resolver/upstream.h"
#include "sys/clock.h"

enum { CLASS_IN = 1, RCODE_OK = 0, RCODE_NO_NAME = 3, BOGUS = 1, SECURE = 2 };

/* One exchanger of a DNS_MAIL question, or the host of the others. */
struct host {
	struct str name;
	uint16_t preference;
	uint8_t security;        /* of the MX set that names it */
	bool literal;            /* its name is an IP address */
	int open;                /* address queries that have not answered */
	enum dns_outcome failed; /* the worst outcome of those without addresses */
	size_t n;
	struct dns_record *addresses; /* owned; data points to bytes behind the array */
};

struct lookup {
	struct lookup *prev, *next;
	struct lookups *all;
	struct dns_question question;
	char *name; /* owned text of the question */
	lookup_done *done;
	void *ctx;
	int64_t deadline;
	size_t open;   /* queries under way for it */
	bool starting; /* inside lookup_start or a callback: do not finish yet */
	enum dns_outcome outcome;
	uint8_t security;
	bool cut;
	uint32_t ttl;
	char why[DNS_WHY_MAX];
	struct dnspacket_set set; /* records of the question itself */
	size_t nhosts, next_host, naddresses;
	struct host *hosts;
};

/* What the library calls back with; outlives its lookup when that timed out. */
struct query {
	struct lookup *lookup; /* NULL: nobody waits any more */
	struct query *prev, *next;
	struct upstream *upstream;
	struct host *host; /* NULL: the question's own records */
	enum dns_type type;
};

struct lookups {
	struct event_base *base;
	void (*log)(const char *text);
	struct upstream *upstream;
	struct upstream *retired[8]; /* of earlier configurations, until nothing is under way there */
	size_t under_way;
	struct lookup waiting; /* head of a ring, in order of deadlines */
	struct query queries;  /* head of a ring */
};

static void finish(struct lookup *l);
static bool advance(struct lookup *l);

static void __attribute__((format(printf, 2, 3))) explain(struct lookup *l, const char *fmt, ...)
{
	va_list ap;

	if (*l->why)
		return;
	va_start(ap, fmt);
	vsnprintf(l->why, sizeof l->why, fmt, ap);
	va_end(ap);
}

static void query_free(struct query *q)
{
	q->prev->next = q->next;
	q->next->prev = q->prev;
	free(q);
}

/* An outcome for the packet or for the lack of one; the words go to the lookup. */
static void read_answer(struct query *q, int rcode, struct str packet, int sec, const char *why_bogus,
			struct dnspacket_set *set)
{
	struct lookup *l = q->lookup;
	struct str name = str_head(q->host ? q->host->name : l->question.name, 200);

	*set = (struct dnspacket_set){ .outcome = DNS_TEMPORARY };
	if (sec == BOGUS) {
		l->security = DNS_BOGUS;
		explain(l, "the signatures of %.*s are wrong (%.60s)", STR_ARG(name), why_bogus ? why_bogus : "bogus");
		return;
	}
	if (rcode == RCODE_NO_NAME)
		set->outcome = DNS_NO_NAME;
	else if (rcode == RCODE_OK)
		dnspacket_read(packet, q->type, set);
	if (set->outcome == DNS_TEMPORARY && set->why)
		explain(l, "%.*s: %s", STR_ARG(name), set->why);
	else if (set->outcome == DNS_TEMPORARY)
		explain(l, "the name servers of %.*s did not give an answer", STR_ARG(name));
	if (set->total > set->n) {
		char text[DNS_WHY_MAX + 100];

		l->cut = true;
		snprintf(text, sizeof text, "%.*s has %zu records of one type; the first %d are used", STR_ARG(name),
			 set->total, DNS_SET_MAX);
		l->all->log(text);
	}
}

static void lower_ttl(struct lookup *l, const struct dnspacket_set *set)
{
	if (set->outcome == DNS_FOUND && set->ttl < l->ttl)
		l->ttl = set->ttl;
}

static bool is_literal(struct str name)
{
	char text[64];
	unsigned char bytes[4];

	if (name.n >= sizeof text)
		return false;
	memcpy(text, name.p, name.n);
	text[name.n] = 0;
	return inet_pton(AF_INET, text, bytes) == 1;
}

static void add_host(struct lookup *l, struct str name, uint16_t preference, uint8_t security)
{
	l->hosts[l->nhosts++] = (struct host){ .name = name,
					       .preference = preference,
					       .security = security,
					       .literal = is_literal(name),
					       .failed = DNS_NO_NAME };
}

/* The exchangers are known, or that there are none. */
static void take_exchangers(struct lookup *l)
{
	struct dnspacket_set *set = &l->set;

	if (set->outcome == DNS_NO_DATA) {
		l->hosts = mem_zero(1, sizeof *l->hosts);
		add_host(l, l->question.name, 0, l->security);
		return;
	}
	if (set->outcome != DNS_FOUND) {
		l->outcome = set->outcome;
		return;
	}
	l->hosts = mem_zero(set->n, sizeof *l->hosts);
	for (size_t i = 0; i < set->n; i++)
		add_host(l, set->records[i].name, set->records[i].preference, l->security);
}

static void take_own(struct query *q, struct dnspacket_set *set, int sec)
{
	struct lookup *l = q->lookup;

	dnspacket_set_free(&l->set);
	l->set = *set;
	lower_ttl(l, set);
	if (sec == SECURE)
		l->security = DNS_SECURE;
	if (l->question.type == DNS_MAIL)
		take_exchangers(l);
	else
		l->outcome = set->outcome;
}

/* Keeps the addresses of one set with their host, up to DNS_SET_MAX for the question. */
static void take_addresses(struct query *q, const struct dnspacket_set *set, int sec)
{
	struct lookup *l = q->lookup;
	struct host *h = q->host;
	size_t n = set->n, room = DNS_SET_MAX - l->naddresses;

	lower_ttl(l, set);
	if (set->outcome == DNS_TEMPORARY)
		h->failed = DNS_TEMPORARY;
	else if (set->outcome == DNS_NO_DATA && h->failed == DNS_NO_NAME)
		h->failed = DNS_NO_DATA;
	if (n > room) {
		n = room;
		l->cut = true;
	}
	if (n == 0)
		return;
	h->addresses = mem_array(h->addresses, h->n + n, sizeof *h->addresses);
	for (size_t i = 0; i < n; i++) {
		struct dns_record *r = &h->addresses[h->n++];

		*r = set->records[i];
		r->data.p = mem_copy(r->data);
		r->name = h->name;
		r->preference = h->preference;
		r->security = sec == SECURE ? DNS_SECURE : DNS_INSECURE;
	}
	l->naddresses += n;
}

static void answered(void *arg, int rcode, void *packet, int length, int sec, char *why_bogus, int ratelimited)
{
	struct query *q = arg;
	struct lookup *l = q->lookup;
	struct str bytes = { packet, packet && length > 0 ? (size_t)length : 0 };
	struct dnspacket_set set;

	(void)ratelimited;
	q->upstream->under_way--;
	if (l == NULL) {
		query_free(q);
		return;
	}
	l->all->under_way--;
	l->open--;
	read_answer(q, rcode, bytes, sec, why_bogus, &set);
	if (q->host) {
		q->host->open--;
		take_addresses(q, &set, sec);
		dnspacket_set_free(&set);
	} else {
		take_own(q, &set, sec);
	}
	query_free(q);
	if (!l->starting)
		advance(l);
}

/* False: the query cannot be made, and why is in the lookup. */
static bool ask(struct lookup *l, struct host *host, struct str name, enum dns_type type)
{
	struct lookups *all = l->all;
	struct query *q;
	char *text;
	int r;

	if (all->under_way >= LOOKUP_ALL_MAX) {
		explain(l, "too many DNS queries are under way");
		return false;
	}
	q = mem_zero(1, sizeof *q);
	*q = (struct query){ .lookup = l, .upstream = all->upstream, .host = host, .type = type };
	q->next = &all->queries;
	q->prev = all->queries.prev;
	q->prev->next = q->next->prev = q;
	all->under_way++;
	all->upstream->under_way++;
	l->open++;
	if (host)
		host->open++;
	text = mem_copy(name);
	r = ub_resolve_event(all->upstream->ctx, text, dnspacket_rrtype(type), CLASS_IN, q, answered, NULL);
	free(text);
	if (r == 0)
		return true;
	/* The callback does not come. */
	all->under_way--;
	q->upstream->under_way--;
	l->open--;
	if (host)
		host->open--;
	query_free(q);
	explain(l, "the resolver failed: %s", ub_strerror(r));
	return false;
}

static void ask_addresses(struct lookup *l, struct host *h)
{
	if (h->literal || !dnsname_text_valid(h->name)) {
		h->failed = h->literal ? DNS_BAD_MX : DNS_NO_NAME;
		return;
	}
	if (!ask(l, h, h->name, DNS_A) || !ask(l, h, h->name, DNS_AAAA))
		h->failed = DNS_TEMPORARY;
}

static enum dns_outcome host_outcome(const struct host *h)
{
	return h->n ? DNS_FOUND : h->failed;
}

/* The outcome of a question about hosts, from the hosts' own. */
static enum dns_outcome combine(struct lookup *l)
{
	bool mx = l->set.outcome == DNS_FOUND;
	bool literal = false;

	for (size_t i = 0; i < l->nhosts; i++)
		if (l->hosts[i].n)
			return DNS_FOUND;
	for (size_t i = 0; i < l->nhosts; i++) {
		if (l->hosts[i].failed == DNS_TEMPORARY)
			return DNS_TEMPORARY;
		literal |= l->hosts[i].literal;
	}
	if (literal) {
		explain(l, "the mail exchangers of %.200s are given as IP addresses in place of names", l->name);
		return DNS_BAD_MX;
	}
	return mx ? DNS_DEAD_MX : l->hosts[0].failed;
}

/* Asks what can be asked now; true when the lookup was finished (and is gone). */
static bool advance(struct lookup *l)
{
	l->starting = true;
	while (l->next_host < l->nhosts && l->open < LOOKUP_PARALLEL && l->naddresses < DNS_SET_MAX)
		ask_addresses(l, &l->hosts[l->next_host++]);
	l->starting = false;
	if (l->open)
		return false;
	if (l->next_host < l->nhosts)
		l->cut = true;
	if (l->nhosts)
		l->outcome = combine(l);
	finish(l);
	return true;
}

/* The two families arrive in any order; the answer has a fixed one. */
static void put_addresses(const struct host *h, enum dns_type type, struct dns_answer *a)
{
	for (size_t k = 0; k < h->n && a->n < DNS_RECORDS_MAX; k++)
		if (h->addresses[k].type == type)
			a->records[a->n++] = h->addresses[k];
}

static void put_hosts(const struct lookup *l, struct dns_answer *a)
{
	for (size_t i = 0; i < l->nhosts && i < l->next_host; i++) {
		const struct host *h = &l->hosts[i];

		if (l->question.type == DNS_MAIL && a->n < DNS_RECORDS_MAX)
			a->records[a->n++] = (struct dns_record){ .type = DNS_MX,
								  .outcome = (uint8_t)host_outcome(h),
								  .security = h->security,
								  .preference = h->preference,
								  .name = h->name };
		put_addresses(h, DNS_A, a);
		put_addresses(h, DNS_AAAA, a);
	}
}

static void put_own(const struct lookup *l, struct dns_answer *a)
{
	a->n = (uint32_t)l->set.n;
	for (size_t i = 0; i < l->set.n; i++) {
		a->records[i] = l->set.records[i];
		a->records[i].security = l->security;
		if (a->records[i].type == DNS_A || a->records[i].type == DNS_AAAA)
			a->records[i].name = l->question.name;
	}
}

static void lookup_free(struct lookup *l)
{
	for (struct query *q = l->all->queries.next; l->open && q != &l->all->queries; q = q->next)
		if (q->lookup == l) {
			q->lookup = NULL;
			l->all->under_way--;
			l->open--;
		}
	l->prev->next = l->next;
	l->next->prev = l->prev;
	for (size_t i = 0; i < l->nhosts; i++) {
		for (size_t k = 0; k < l->hosts[i].n; k++)
			free((void *)(uintptr_t)l->hosts[i].addresses[k].data.p);
		free(l->hosts[i].addresses);
	}
	free(l->hosts);
	dnspacket_set_free(&l->set);
	free(l->name);
	free(l);
}

static void finish(struct lookup *l)
{
	/* Large; done makes a packet of it and starts no lookup. */
	static struct dns_answer a;
	lookup_done *done = l->done;
	void *ctx = l->ctx;

	a.id = l->question.id;
	a.outcome = (uint8_t)l->outcome;
	a.security = l->security;
	a.cut = l->cut;
	a.ttl = l->outcome == DNS_FOUND ? l->ttl : 0;
	a.why = l->outcome == DNS_TEMPORARY || l->outcome == DNS_BAD_MX ? str_of(l->why) : STR("");
	a.n = 0;
	a.storage = BUF_INIT(0);
	if (l->nhosts)
		put_hosts(l, &a);
	else if (l->outcome == DNS_FOUND)
		put_own(l, &a);
	done(ctx, &a);
	lookup_free(l);
}

struct lookup *lookup_start(struct lookups *all, const struct dns_question *q, lookup_done *done, void *ctx)
{
	struct lookup *l = mem_zero(1, sizeof *l);

	l->all = all;
	l->question = *q;
	l->name = mem_copy(q->name);
	l->question.name.p = l->name;
	l->done = done;
	l->ctx = ctx;
	l->ttl = UINT32_MAX;
	l->outcome = DNS_TEMPORARY;
	l->deadline = clock_monotonic_ms() + LOOKUP_SECONDS * 1000;
	l->next = &all->waiting;
	l->prev = all->waiting.prev;
	l->prev->next = l->next->prev = l;
	l->starting = true;
	if (!dnsname_text_valid(q->name)) {
		l->outcome = DNS_NO_NAME;
	} else if (q->type == DNS_HOST) {
		l->hosts = mem_zero(1, sizeof *l->hosts);
		add_host(l, l->question.name, 0, DNS_INSECURE);
		l->hosts[0].literal = false;
		l->set.outcome = DNS_NO_NAME;
	} else {
		ask(l, NULL, l->question.name, q->type == DNS_MAIL ? DNS_MX : q->type);
	}
	return advance(l) ? NULL : l;
}

void lookup_cancel(struct lookup *l)
{
	lookup_free(l);
}

static void time_out(struct lookup *l)
{
	*l->why = 0;
	explain(l, "the name servers of %.200s did not answer within %d seconds", l->name, LOOKUP_SECONDS);
	l->outcome = DNS_TEMPORARY;
	/* Addresses that are there already are good enough. */
	for (size_t i = 0; i < l->nhosts; i++)
		if (l->hosts[i].n)
			l->outcome = DNS_FOUND;
		else if (l->hosts[i].open)
			l->hosts[i].failed = DNS_TEMPORARY;
	finish(l);
}

void lookups_tick(struct lookups *all)
{
	int64_t now = clock_monotonic_ms();

	while (all->waiting.next != &all->waiting && all->waiting.next->deadline <= now)
		time_out(all->waiting.next);
	for (size_t i = 0; i < sizeof all->retired / sizeof *all->retired; i++)
		if (all->retired[i] && all->retired[i]->under_way == 0) {
			upstream_free(all->retired[i]);
			all->retired[i] = NULL;
		}
}

static void log_servers(struct lookups *all)
{
	char text[600];

	snprintf(text, sizeof text, "asking %.500s", buf_cstr(&all->upstream->servers));
	all->log(text);
}

bool lookups_new(struct event_base *base, void (*log)(const char *text), struct lookups **out, struct err *e)
{
	struct lookups *all = mem_zero(1, sizeof *all);

	all->base = base;
	all->log = log;
	all->waiting.prev = all->waiting.next = &all->waiting;
	all->queries.prev = all->queries.next = &all->queries;
	if (!upstream_new(base, &all->upstream, e)) {
		free(all);
		return false;
	}
	log_servers(all);
	*out = all;
	return true;
}

bool lookups_reload(struct lookups *all, struct err *e)
{
	struct upstream *fresh;

	for (size_t i = 0; i < sizeof all->retired / sizeof *all->retired; i++) {
		if (all->retired[i])
			continue;
		if (!upstream_new(all->base, &fresh, e))
			return false;
		all->retired[i] = all->upstream;
		all->retired[i]->retired = true;
		all->upstream = fresh;
		log_servers(all);
		return true;
	}
	return err_temp(e, "too many reloads while questions are under way");
}

void lookups_free(struct lookups *all)
{
	if (all == NULL)
		return;
	while (all->waiting.next != &all->waiting)
		lookup_free(all->waiting.next);
	for (size_t i = 0; i < sizeof all->retired / sizeof *all->retired; i++)
		upstream_free(all->retired[i]);
	upstream_free(all->upstream);
	while (all->queries.next != &all->queries)
		query_free(all->queries.next);
	free(all);
}

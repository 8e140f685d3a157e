#include "resolver/lookup.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "dnsmessage/dnsname.h"
#include "resolver/query.h"
#include "sys/clock.h"

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
	int64_t enough_at;    /* from then on some of the addresses will do */
	size_t open;          /* queries under way for it */
	bool starting;        /* inside lookup_start or a callback: do not finish yet */
	bool held;            /* nothing asked yet: see queries_ready */
	unsigned sources;     /* bits 1 << enum query_source */
	bool bogus, insecure; /* what some of the answers were */
	enum dns_outcome outcome;
	uint8_t security;
	bool cut;
	uint32_t ttl;
	char why[DNS_WHY_MAX];
	struct dnspacket_set set; /* records of the question itself */
	size_t nhosts, next_host, naddresses;
	struct host *hosts;
};

struct lookups {
	struct queries *queries;
	void (*log)(const char *text);
	struct lookup waiting; /* head of a ring, in order of deadlines */
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

static void lower_ttl(struct lookup *l, const struct dnspacket_set *set)
{
	if (set->outcome == DNS_FOUND && set->ttl < l->ttl)
		l->ttl = set->ttl;
}

static bool is_literal(struct str name)
{
	char text[64];
	unsigned char bytes[16];

	if (name.n >= sizeof text)
		return false;
	memcpy(text, name.p, name.n);
	text[name.n] = 0;
	return inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1;
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

static void take_own(struct lookup *l, const struct query_result *r)
{
	dnspacket_set_free(&l->set);
	l->set = r->set;
	lower_ttl(l, &r->set);
	l->security = r->security == DNS_SECURE ? DNS_SECURE : DNS_INSECURE;
	if (l->question.type == DNS_MAIL)
		take_exchangers(l);
	else
		l->outcome = r->set.outcome;
}

/* Keeps the addresses of one set with their host. */
static void take_addresses(struct lookup *l, struct host *h, const struct query_result *q)
{
	const struct dnspacket_set *set = &q->set;

	lower_ttl(l, set);
	if (set->outcome == DNS_TEMPORARY)
		h->failed = DNS_TEMPORARY;
	else if (set->outcome == DNS_NO_DATA && h->failed == DNS_NO_NAME)
		h->failed = DNS_NO_DATA;
	if (set->n == 0)
		return;
	h->addresses = mem_array(h->addresses, h->n + set->n, sizeof *h->addresses);
	for (size_t i = 0; i < set->n; i++) {
		struct dns_record *r = &h->addresses[h->n++];

		*r = set->records[i];
		r->data.p = mem_copy(r->data);
		r->name = h->name;
		r->preference = h->preference;
		r->security = (uint8_t)q->security;
	}
	l->naddresses += set->n;
}

static void answered(struct query_for f, enum dns_type type, struct query_result *r)
{
	struct lookup *l = f.asker;
	struct host *h = f.part;

	(void)type;
	l->open--;
	l->sources |= 1u << r->source;
	l->cut |= r->set.total > r->set.n;
	l->bogus |= r->security == DNS_BOGUS;
	l->insecure |= r->security != DNS_SECURE;
	if (r->set.outcome == DNS_TEMPORARY)
		explain(l, "%s", r->why);
	if (h) {
		h->open--;
		take_addresses(l, h, r);
		dnspacket_set_free(&r->set);
	} else {
		take_own(l, r);
	}
	if (!l->starting)
		advance(l);
}

static void ask(struct lookup *l, struct host *h, struct str name, enum dns_type type)
{
	l->open++;
	if (h)
		h->open++;
	query_start(l->all->queries, name, type, answered, (struct query_for){ l, h });
}

static void ask_addresses(struct lookup *l, struct host *h)
{
	if (h->literal || !dnsname_text_valid(h->name)) {
		h->failed = h->literal ? DNS_BAD_MX : DNS_NO_NAME;
		return;
	}
	ask(l, h, h->name, DNS_A);
	ask(l, h, h->name, DNS_AAAA);
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
	if (!mx)
		return l->hosts[0].failed;
	explain(l, "of the mail exchangers of %.200s none has an address", l->name);
	return DNS_DEAD_MX;
}

/* Which ones are kept does not depend on who answered first: only on the order of the hosts. */
static void note_cut(struct lookup *l)
{
	char text[DNS_WHY_MAX];

	if (l->next_host == l->nhosts && l->naddresses <= DNS_SET_MAX)
		return;
	l->cut = true;
	snprintf(text, sizeof text, "%.200s has more than %d addresses to try; the first are used", l->name,
		 DNS_SET_MAX);
	l->all->log(text);
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
	note_cut(l);
	if (l->nhosts)
		l->outcome = combine(l);
	finish(l);
	return true;
}

/* The two families arrive in any order; the answer has a fixed one. */
static void put_addresses(const struct host *h, enum dns_type type, size_t *room, struct dns_answer *a)
{
	for (size_t k = 0; k < h->n && *room && a->n < DNS_RECORDS_MAX; k++)
		if (h->addresses[k].type == type) {
			a->records[a->n++] = h->addresses[k];
			--*room;
		}
}

static void put_hosts(const struct lookup *l, struct dns_answer *a)
{
	size_t room = DNS_SET_MAX;

	for (size_t i = 0; i < l->next_host && room; i++) {
		const struct host *h = &l->hosts[i];

		if (l->question.type == DNS_MAIL && a->n < DNS_RECORDS_MAX)
			a->records[a->n++] = (struct dns_record){ .type = DNS_MX,
								  .outcome = (uint8_t)host_outcome(h),
								  .security = h->security,
								  .preference = h->preference,
								  .name = h->name };
		put_addresses(h, DNS_A, &room, a);
		put_addresses(h, DNS_AAAA, &room, a);
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
	query_forget(l->all->queries, l);
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

static uint8_t security_of(const struct lookup *l)
{
	if (l->outcome == DNS_TEMPORARY && l->bogus)
		return DNS_BOGUS;
	if (l->question.type == DNS_HOST)
		return l->insecure ? DNS_INSECURE : DNS_SECURE;
	return l->security;
}

/* Which of several servers it was, the library does not tell. */
static void put_source(const struct lookup *l, struct buf *text)
{
	unsigned others = l->sources & ~(1u << QUERY_HOSTS);

	if (l->sources & 1u << QUERY_HOSTS)
		buf_addz(text, others ? "control/hosts and " : "control/hosts");
	if (others & 1u << QUERY_SERVERS)
		buf_addz(text, queries_servers(l->all->queries));
	else if (others)
		buf_addz(text, "the cache");
}

static void finish(struct lookup *l)
{
	/* Large; done makes a packet of it and starts no lookup. */
	static struct dns_answer a;
	struct buf source = BUF_INIT(5000);
	bool found = l->outcome == DNS_FOUND;

	put_source(l, &source);
	a.id = l->question.id;
	a.outcome = (uint8_t)l->outcome;
	a.security = security_of(l);
	a.cut = l->cut;
	a.ttl = found ? l->ttl : 0;
	a.why = l->outcome == DNS_TEMPORARY || l->outcome == DNS_BAD_MX || l->outcome == DNS_DEAD_MX ? str_of(l->why)
												     : STR("");
	a.source = buf_str(&source);
	a.n = 0;
	a.storage = BUF_INIT(0);
	if (l->nhosts)
		put_hosts(l, &a);
	else if (found)
		put_own(l, &a);
	l->done(l->ctx, &a);
	buf_free(&source);
	lookup_free(l);
}

/* True when the lookup was finished (and is gone). */
static bool begin(struct lookup *l)
{
	enum dns_type type = l->question.type;

	l->held = false;
	l->starting = true;
	if (!dnsname_text_valid(l->question.name)) {
		l->outcome = DNS_NO_NAME;
	} else if (type == DNS_HOST) {
		l->hosts = mem_zero(1, sizeof *l->hosts);
		add_host(l, l->question.name, 0, DNS_INSECURE);
		l->hosts[0].literal = false;
		l->set.outcome = DNS_NO_NAME;
	} else {
		ask(l, NULL, l->question.name, type == DNS_MAIL ? DNS_MX : type);
	}
	return advance(l);
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
	l->deadline = clock_monotonic_ms() + queries_seconds(all->queries) * 1000;
	l->enough_at = clock_monotonic_ms() + LOOKUP_PATIENCE;
	l->next = &all->waiting;
	l->prev = all->waiting.prev;
	l->prev->next = l->next->prev = l;
	l->held = !queries_ready(all->queries);
	return l->held || !begin(l) ? l : NULL;
}

void lookup_cancel(struct lookup *l)
{
	lookup_free(l);
}

static bool has_addresses(const struct lookup *l)
{
	for (size_t i = 0; i < l->nhosts; i++)
		if (l->hosts[i].n)
			return true;
	return false;
}

static void time_out(struct lookup *l)
{
	*l->why = 0;
	explain(l, "the name servers of %.200s did not answer in time (%d s)", l->name,
		queries_seconds(l->all->queries));
	/* Addresses that are there already are good enough. */
	l->outcome = has_addresses(l) ? DNS_FOUND : DNS_TEMPORARY;
	for (size_t i = 0; i < l->nhosts; i++)
		if (l->hosts[i].n == 0 && l->hosts[i].open)
			l->hosts[i].failed = DNS_TEMPORARY;
	finish(l);
}

/* Questions that waited for the servers to be known. */
static void on_ready(void *ctx)
{
	struct lookups *all = ctx;
	struct lookup *next;

	for (struct lookup *l = all->waiting.next; l != &all->waiting; l = next) {
		next = l->next;
		if (l->held)
			begin(l);
	}
}

void lookups_tick(struct lookups *all)
{
	int64_t now = clock_monotonic_ms();
	struct lookup *next;

	for (struct lookup *l = all->waiting.next; l != &all->waiting; l = next) {
		next = l->next;
		if (l->deadline <= now || (l->enough_at <= now && has_addresses(l)))
			time_out(l);
	}
	queries_tick(all->queries);
}

bool lookups_new(struct event_base *base, void (*log)(const char *text), struct lookups **out, struct err *e)
{
	struct lookups *all = mem_zero(1, sizeof *all);

	all->log = log;
	all->waiting.prev = all->waiting.next = &all->waiting;
	if (!queries_new(base, log, on_ready, all, &all->queries, e)) {
		free(all);
		return false;
	}
	*out = all;
	return true;
}

bool lookups_reload(struct lookups *all, struct err *e)
{
	return queries_reload(all->queries, e);
}

void lookups_free(struct lookups *all)
{
	if (all == NULL)
		return;
	while (all->waiting.next != &all->waiting)
		lookup_free(all->waiting.next);
	queries_free(all->queries);
	free(all);
}

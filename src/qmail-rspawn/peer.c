#include "qmail-rspawn/peer.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "qmail-rspawn/conn.h"
#include "sys/clock.h"
#include "sys/random.h"
#include "wire/deadproto.h"

#define PEER_SLOW_GROWTH 4 /* successes for each session before one more is tried where the limit is known */
#define BUCKETS 1024       /* a power of two */

struct peer {
	struct peer *next; /* in its bucket */
	struct peers *all;
	struct peeraddress address;
	uint16_t port;
	char text[PEERADDRESS_TEXT_MAX];
	size_t conns;
	size_t allowed;    /* connections */
	size_t progress;   /* successes towards one more, once the limit was found */
	bool limited;      /* a connection was refused: grow slowly */
	struct conn *idle; /* most recently used first */
	struct job *first_waiting, *last_waiting;
	int timeouts;       /* connects in a row that timed out */
	int64_t timeout_at; /* the last one, clock_monotonic_ms */
	int64_t dead_until;
	int64_t clear_until; /* no TLS */
	/* Until when it is done without these. */
	int64_t no_chunking, no_pipelining, no_parameters;
	size_t rcpt_max; /* recipients that it takes at a time, 0: not known */
	int64_t used;
};

struct peers {
	struct rspawn *r;
	struct hash_key key;
	struct peer *buckets[BUCKETS];
	struct conn conns; /* head of a ring */
	struct conn *dead; /* linked by next_idle */
};

struct peers *peers_new(struct rspawn *r)
{
	struct peers *all = mem_zero(1, sizeof *all);

	all->r = r;
	all->key = random_hash_key();
	all->conns.prev = all->conns.next = &all->conns;
	return all;
}

static void free_dead(struct peers *all)
{
	while (all->dead) {
		struct conn *c = all->dead;

		all->dead = c->next_idle;
		free(c);
	}
}

void peers_free(struct peers *all)
{
	struct conn *next;

	for (struct conn *c = all->conns.next; c != &all->conns; c = next) {
		next = c->next;
		conn_abandon(c);
	}
	free_dead(all);
	for (size_t i = 0; i < BUCKETS; i++)
		while (all->buckets[i]) {
			struct peer *p = all->buckets[i];
			struct job *j;

			all->buckets[i] = p->next;
			while ((j = peer_next_job(p, NULL, false)) != NULL)
				job_free(j);
			free(p);
		}
	free(all);
}

size_t peer_rcpt_max(struct peer *p, size_t seen)
{
	if (seen && (p->rcpt_max == 0 || seen < p->rcpt_max))
		p->rcpt_max = seen;
	return p->rcpt_max;
}

bool peer_v6(const struct peer *p)
{
	return p->address.v6;
}

uint16_t peer_port(const struct peer *p)
{
	return p->port;
}

const char *peer_text(const struct peer *p)
{
	return p->text;
}

struct rspawn *peer_rspawn(const struct peer *p)
{
	return p->all->r;
}

static struct peer **bucket_of(struct peers *all, const struct peeraddress *a, uint16_t port)
{
	char key[19];

	memcpy(key, a->bytes, 16);
	key[16] = a->v6;
	memcpy(key + 17, &port, sizeof port);
	return &all->buckets[hash_str(all->key, (struct str){ key, sizeof key }) & (BUCKETS - 1)];
}

static struct peer *find(struct peers *all, const struct peeraddress *a, uint16_t port)
{
	struct peer **bucket = bucket_of(all, a, port), *p;

	for (p = *bucket; p; p = p->next)
		if (p->port == port && peeraddress_eq(&p->address, a))
			return p;
	p = mem_zero(1, sizeof *p);
	p->all = all;
	p->address = *a;
	p->port = port;
	p->allowed = PEER_FIRST_SESSIONS;
	peeraddress_text(a, p->text);
	p->next = *bucket;
	*bucket = p;
	return p;
}

static void leave_idle(struct peer *p, struct conn *c)
{
	if (c->prev_idle)
		c->prev_idle->next_idle = c->next_idle;
	else
		p->idle = c->next_idle;
	if (c->next_idle)
		c->next_idle->prev_idle = c->prev_idle;
	c->prev_idle = c->next_idle = NULL;
}

void peer_conn_idle(struct peer *p, struct conn *c)
{
	c->prev_idle = NULL;
	c->next_idle = p->idle;
	if (p->idle)
		p->idle->prev_idle = c;
	p->idle = c;
}

void peer_tls_failed(struct peer *p)
{
	p->clear_until = clock_monotonic_ms() + PEER_TLS_FAILED_SECONDS * 1000LL;
}

void peer_offers_failed(struct peer *p, const struct session *s)
{
	int64_t until = clock_monotonic_ms() + PEER_OFFERS_FAILED_SECONDS * 1000LL;

	if (s->chunking_failed)
		p->no_chunking = until;
	if (s->pipelining_failed)
		p->no_pipelining = until;
	if (s->parameters_failed)
		p->no_parameters = until;
}

static void adapt_policy(const struct peer *p, struct job *j)
{
	int64_t now = clock_monotonic_ms();

	if (j->policy.tls == SESSION_TLS_MAY && p->clear_until > now)
		j->policy.tls = SESSION_TLS_NEVER;
	j->policy.no_chunking |= p->no_chunking > now;
	j->policy.no_pipelining |= p->no_pipelining > now;
	j->policy.no_parameters |= p->no_parameters > now;
}

static bool suits(const struct conn *c, const struct job *j)
{
	return c->settings == j->settings && c->identity == j->identity &&
	       session_admits(&c->session, &j->transaction) && session_policy_eq(&c->session.policy, &j->policy);
}

static bool open_connection(struct peer *p, struct job *j)
{
	struct sockaddr_storage sa;
	socklen_t len = peeraddress_sockaddr(&p->address, p->port, &sa);
	struct conn *c;

	adapt_policy(p, j);
	c = conn_new(p, (struct sockaddr *)&sa, len, j);
	if (c == NULL)
		return false;
	p->conns++;
	c->next = &p->all->conns;
	c->prev = p->all->conns.prev;
	c->prev->next = c->next->prev = c;
	return true;
}

static void wait_in_line(struct peer *p, struct job *j)
{
	j->next_waiting = NULL;
	if (p->first_waiting)
		p->last_waiting->next_waiting = j;
	else
		p->first_waiting = j;
	p->last_waiting = j;
}

static struct conn *find_idle(const struct peer *p, const struct job *j)
{
	for (struct conn *c = p->idle; c; c = c->next_idle)
		if (suits(c, j))
			return c;
	return NULL;
}

static void wait_first(struct peer *p, struct job *j)
{
	j->next_waiting = p->first_waiting;
	if (p->first_waiting == NULL)
		p->last_waiting = j;
	p->first_waiting = j;
}

static bool may_open(const struct peer *p, const struct job *j)
{
	return p->conns < p->allowed && p->conns < j->settings->s.per_host;
}

void peer_success(struct peer *p)
{
	if (p->first_waiting == NULL || p->conns < p->allowed)
		return;
	if (p->limited && ++p->progress < p->allowed * PEER_SLOW_GROWTH)
		return;
	p->progress = 0;
	if (p->allowed < p->first_waiting->settings->s.per_host)
		p->allowed++;
	if (may_open(p, p->first_waiting) && open_connection(p, p->first_waiting))
		peer_next_job(p, NULL, false);
}

bool peer_wait_for_others(struct peer *p, const struct conn *except, struct job *j)
{
	size_t others = p->conns - (except ? 1 : 0);

	if (others == 0)
		return false;
	p->limited = true;
	p->progress = 0;
	if (others < p->allowed)
		p->allowed = others;
	wait_first(p, j);
	return true;
}

enum peer_answer peer_take(struct peers *all, const struct peeraddress *a, uint16_t port, struct job *j)
{
	struct peer *p = find(all, a, port);
	struct conn *c;

	p->used = clock_monotonic_ms();
	if (p->dead_until > p->used && !(j->request.flags & DELIVERY_AFRESH))
		return PEER_DEAD;
	adapt_policy(p, j);
	if (j->again && p->conns) {
		j->again = false;
		wait_first(p, j);
		return PEER_TAKEN;
	}
	if (!j->fresh && (c = find_idle(p, j)) != NULL) {
		leave_idle(p, c);
		conn_assign(c, j);
		return PEER_TAKEN;
	}
	/* Idle sessions of another kind give way. */
	if (!may_open(p, j) && p->idle)
		conn_quit(p->idle);
	if (may_open(p, j) && open_connection(p, j))
		return PEER_TAKEN;
	if (p->conns == 0)
		return PEER_NO_RESOURCES;
	wait_in_line(p, j);
	return PEER_TAKEN;
}

struct job *peer_next_job(struct peer *p, const struct conn *c, bool used)
{
	struct job *j = p->first_waiting;

	if (j == NULL || (used && j->fresh) || (c && !suits(c, j)))
		return NULL;
	p->first_waiting = j->next_waiting;
	return j;
}

bool peer_has_waiting(const struct peer *p)
{
	return p->first_waiting != NULL;
}

int64_t peer_connect_ms(const struct peer *p, int64_t usual)
{
	bool dead = p->dead_until > clock_monotonic_ms();

	return dead && usual > PEER_DEAD_CONNECT_MS ? PEER_DEAD_CONNECT_MS : usual;
}

void peer_connected(struct peer *p)
{
	p->timeouts = 0;
	p->dead_until = 0;
}

static void note_timeout(struct peer *p)
{
	p->timeout_at = clock_monotonic_ms();
	if (++p->timeouts >= PEER_DEAD_TIMEOUTS)
		p->dead_until =
		    clock_monotonic_ms() + (PEER_DEAD_SECONDS + random_below(PEER_DEAD_SECONDS / 4)) * 1000LL;
}

/* Jobs in line when a connection went: one more connection for the first, or elsewhere with all. */
static void serve_waiting(struct peer *p, enum conn_end how, int error)
{
	struct job *j;

	if (p->first_waiting && how == CONN_CLOSED && may_open(p, p->first_waiting) &&
	    open_connection(p, p->first_waiting)) {
		peer_next_job(p, NULL, false);
		return;
	}
	if (p->conns)
		return;
	while ((j = peer_next_job(p, NULL, false)) != NULL) {
		j->deferred_by_load |= how == CONN_CLOSED;
		job_unreachable(j, error ? error : EMFILE);
	}
}

void peer_conn_ended(struct peer *p, struct conn *c, enum conn_end end, int error)
{
	c->prev->next = c->next;
	c->next->prev = c->prev;
	p->conns--;
	if (c->idle)
		leave_idle(p, c);
	c->next_idle = p->all->dead;
	p->all->dead = c;
	if (end == CONN_TIMED_OUT)
		note_timeout(p);
	else if (end == CONN_REFUSED)
		p->timeouts = 0;
	serve_waiting(p, end, error);
}

void peers_list_dead(const struct peers *all, void (*each)(void *ctx, const struct dead_host *h), void *ctx)
{
	int64_t now = clock_monotonic_ms();

	for (size_t i = 0; i < BUCKETS; i++)
		for (const struct peer *p = all->buckets[i]; p; p = p->next) {
			struct dead_host h = { str_of(p->text), (uint64_t)(now - p->timeout_at) / 1000,
					       (uint32_t)p->timeouts };

			if (p->timeouts)
				each(ctx, &h);
		}
}

void peers_forget_dead(struct peers *all)
{
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct peer *p = all->buckets[i]; p; p = p->next) {
			p->timeouts = 0;
			p->dead_until = 0;
		}
}

/* Is it of use, or something remembered of it? */
static bool worth_keeping(const struct peer *p, int64_t now)
{
	bool timeouts = p->timeouts && now < p->used + PEER_DEAD_SECONDS * 2000LL;
	bool without = p->clear_until > now || p->no_chunking > now || p->no_pipelining > now || p->no_parameters > now;

	return p->conns || p->first_waiting || p->dead_until > now || timeouts || without;
}

static void sweep(struct peers *all, int64_t now)
{
	for (size_t i = 0; i < BUCKETS; i++) {
		struct peer **at = &all->buckets[i];

		while (*at) {
			struct peer *p = *at;

			if (worth_keeping(p, now)) {
				at = &p->next;
				continue;
			}
			*at = p->next;
			free(p);
		}
	}
}

void peers_tick(struct peers *all)
{
	int64_t now = clock_monotonic_ms();
	struct conn *next;

	/* A tick may end the connection it is for, and start others, which join at the end of the ring. */
	for (struct conn *c = all->conns.next; c != &all->conns; c = next) {
		next = c->next;
		conn_tick(c, now);
	}
	free_dead(all);
	sweep(all, now);
}

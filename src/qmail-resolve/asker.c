#include "qmail-resolve/asker.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "resolver/lookup.h"
#include "sys/accounts.h"
#include "sys/clock.h"
#include "sys/service.h"
#include "sys/unixsock.h"

#define COMPLAIN_MS 10000

struct asker;

/* One question of an asker: a lookup under way, then an answer that waits to be sent. */
struct task {
	struct task *prev, *next;
	struct asker *asker;
	struct lookup *lookup; /* NULL: answered */
	struct buf packet;
};

struct asker {
	struct asker *prev, *next;
	struct askers *all;
	int fd;
	uid_t uid;
	size_t open_max;
	struct event *readable, *writable;
	struct task tasks; /* head of a ring */
	size_t open;
	bool paused; /* not reading: too many questions open */
};

struct askers {
	struct event_base *base;
	struct lookups *lookups;
	int listenfd;
	struct event *listening;
	struct asker connections; /* head of a ring */
	size_t n;
	struct buf packet;
	const struct accounts *ours;
	int64_t complained;
};

static void task_free(struct task *t)
{
	t->prev->next = t->next;
	t->next->prev = t->prev;
	t->asker->open--;
	buf_free(&t->packet);
	free(t);
}

static void asker_close(struct asker *a)
{
	struct askers *all = a->all;

	while (a->tasks.next != &a->tasks) {
		if (a->tasks.next->lookup)
			lookup_cancel(a->tasks.next->lookup);
		task_free(a->tasks.next);
	}
	event_free(a->readable);
	event_free(a->writable);
	close(a->fd);
	a->prev->next = a->next;
	a->next->prev = a->prev;
	free(a);
	if (all->n-- == ASKER_CONNECTIONS_MAX)
		event_add(all->listening, NULL);
}

static void resume(struct asker *a)
{
	if (a->paused && a->open <= a->open_max / 2) {
		a->paused = false;
		event_add(a->readable, NULL);
	}
}

/* A connection that broke is noticed, and closed, by its readable event. */
static void on_answer(void *ctx, const struct dns_answer *answer)
{
	struct task *t = ctx;
	struct asker *a = t->asker;

	t->lookup = NULL;
	t->packet = BUF_INIT(UNIXSOCK_PACKET_MAX);
	dns_put_answer(&t->packet, answer);
	if (!buf_ok(&t->packet)) {
		struct dns_answer failed;

		dns_answer_fail(&failed, "the answer is too large");
		failed.id = answer->id;
		buf_clear(&t->packet);
		dns_put_answer(&t->packet, &failed);
	}
	if (unixsock_send(a->fd, buf_str(&t->packet), -1) == -1 && errno == EAGAIN) {
		event_add(a->writable, NULL);
		return;
	}
	task_free(t);
	resume(a);
}

static void on_writable(evutil_socket_t fd, short what, void *ctx)
{
	struct asker *a = ctx;
	struct task *next;

	(void)what;
	for (struct task *t = a->tasks.next; t != &a->tasks; t = next) {
		next = t->next;
		if (t->lookup || t->packet.n == 0)
			continue;
		if (unixsock_send(fd, buf_str(&t->packet), -1) == -1 && errno == EAGAIN) {
			event_add(a->writable, NULL);
			return;
		}
		task_free(t);
	}
	resume(a);
}

static void start_task(struct asker *a, const struct dns_question *q)
{
	struct task *t = mem_zero(1, sizeof *t);
	struct lookup *l;

	t->asker = a;
	t->next = &a->tasks;
	t->prev = a->tasks.prev;
	t->prev->next = t->next->prev = t;
	a->open++;
	/* NULL: on_answer was called, and t may be gone. */
	l = lookup_start(a->all->lookups, q, on_answer, t);
	if (l)
		t->lookup = l;
}

static void on_readable(evutil_socket_t fd, short what, void *ctx)
{
	struct asker *a = ctx;
	struct buf *packet = &a->all->packet;

	(void)what;
	for (int i = 0; i < 50; i++) {
		struct dns_question q;
		int passed;
		ssize_t n;

		buf_clear(packet);
		n = unixsock_recv(fd, packet, packet->limit, &passed);
		if (passed != -1)
			close(passed);
		if (n == -1 && errno == EAGAIN)
			return;
		if (n <= 0 || !dns_get_question(buf_str(packet), &q)) {
			asker_close(a);
			return;
		}
		start_task(a, &q);
		if (a->open >= a->open_max) {
			a->paused = true;
			event_del(a->readable);
			return;
		}
	}
}

static void asker_new(struct askers *all, int fd, uid_t uid)
{
	struct asker *a = mem_zero(1, sizeof *a);

	a->all = all;
	a->fd = fd;
	a->uid = uid;
	a->open_max = accounts_ours(all->ours, uid) ? ASKER_OPEN_MAX : ASKER_FOREIGN_OPEN;
	a->tasks.prev = a->tasks.next = &a->tasks;
	a->readable = event_new(all->base, fd, EV_READ | EV_PERSIST, on_readable, a);
	a->writable = event_new(all->base, fd, EV_WRITE, on_writable, a);
	a->next = &all->connections;
	a->prev = all->connections.prev;
	a->prev->next = a->next->prev = a;
	event_add(a->readable, NULL);
	all->n++;
}

static bool has_his_share(const struct askers *all, uid_t uid)
{
	size_t n = 0;

	if (accounts_ours(all->ours, uid))
		return false;
	for (const struct asker *a = all->connections.next; a != &all->connections; a = a->next)
		n += a->uid == uid;
	return n >= ASKER_FOREIGN_CONNECTIONS;
}

/* Once in a while, not for each. */
static void complain(struct askers *all, uid_t uid)
{
	int64_t now = clock_monotonic_ms();

	if (all->complained && now - all->complained < COMPLAIN_MS)
		return;
	all->complained = now;
	service_log("resolve", "warning: turning away uid %lu: it has %d connections", (unsigned long)uid,
		    ASKER_FOREIGN_CONNECTIONS);
}

static void on_connection(evutil_socket_t fd, short what, void *ctx)
{
	struct askers *all = ctx;
	struct unixsock_peer peer;
	struct err e;
	int accepted;

	(void)what;
	while ((accepted = unixsock_accept(fd, UNIXSOCK_PACKET)) != -1) {
		if (!unixsock_peer(accepted, &peer, &e) || has_his_share(all, peer.uid)) {
			complain(all, peer.uid);
			close(accepted);
			continue;
		}
		asker_new(all, accepted, peer.uid);
		if (all->n == ASKER_CONNECTIONS_MAX) {
			event_del(all->listening);
			return;
		}
	}
}

struct askers *askers_new(struct event_base *base, int listenfd, struct lookups *lookups, const struct accounts *ours)
{
	struct askers *all = mem_zero(1, sizeof *all);

	all->base = base;
	all->lookups = lookups;
	all->ours = ours;
	all->listenfd = listenfd;
	all->connections.prev = all->connections.next = &all->connections;
	all->packet = BUF_INIT(DNS_NAME_MAX + 64);
	all->listening = event_new(base, listenfd, EV_READ | EV_PERSIST, on_connection, all);
	event_add(all->listening, NULL);
	return all;
}

void askers_free(struct askers *all)
{
	while (all->connections.next != &all->connections)
		asker_close(all->connections.next);
	event_free(all->listening);
	close(all->listenfd);
	buf_free(&all->packet);
	free(all);
}

#include "dns/dnsclient.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "sys/clock.h"
#include "sys/home.h"
#include "sys/io.h"
#include "sys/unixsock.h"

#define NOT_RUNNING "qmail-resolve is not running"
#define NO_ANSWER "qmail-resolve did not answer in time"
#define NONSENSE "qmail-resolve sent an answer that makes no sense"

struct question {
	struct question *prev, *next;
	uint32_t id;
	enum dns_type type;
	char *name;
	bool sent;
	int64_t deadline; /* clock_monotonic_ms */
	dns_callback *callback;
	void *ctx;
};

struct dns_client {
	int fd; /* -1: not connected */
	uint32_t last_id;
	size_t unsent;             /* questions that wait to be sent */
	struct question questions; /* head of a ring, oldest first */
	void (*watch)(void *ctx, int fd);
	void *watch_ctx;
	struct buf packet;
	struct dns_answer answer;
};

static bool connect_resolver(int *fd, struct err *e)
{
	return unixsock_connect(home_dir(), "run/resolve", UNIXSOCK_PACKET, fd, e);
}

static bool send_question(int fd, uint32_t id, enum dns_type type, struct str name)
{
	struct dns_question q = { id, (uint8_t)type, name };
	struct buf b = BUF_INIT(DNS_NAME_MAX + 64);
	bool ok;

	dns_put_question(&b, &q);
	ok = unixsock_send(fd, buf_str(&b), -1) == 0;
	buf_free(&b);
	return ok;
}

static const char *wait_answer(int fd, int64_t deadline, struct buf *packet)
{
	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int64_t left = deadline - clock_monotonic_ms();
		int passed, r;
		ssize_t n;

		if (left <= 0)
			return NO_ANSWER;
		r = poll(&p, 1, (int)left);
		if (r == 0 || (r == -1 && errno == EINTR))
			continue;
		n = unixsock_recv(fd, packet, UNIXSOCK_PACKET_MAX, &passed);
		if (passed != -1)
			close(passed);
		return n > 0 ? NULL : NOT_RUNNING;
	}
}

void dns_query(enum dns_type type, struct str name, int timeout_ms, struct dns_answer *a)
{
	struct buf packet = BUF_INIT(UNIXSOCK_PACKET_MAX);
	int64_t deadline = clock_monotonic_ms() + timeout_ms;
	const char *why = NOT_RUNNING;
	struct err e;
	int fd;

	if (name.n > DNS_NAME_MAX) {
		dns_answer_fail(a, "");
		a->outcome = DNS_NO_NAME;
		return;
	}
	if (connect_resolver(&fd, &e)) {
		if (send_question(fd, 1, type, name))
			why = wait_answer(fd, deadline, &packet);
		close(fd);
	}
	if (why == NULL && !(dns_get_answer(buf_str(&packet), a) && a->id == 1))
		why = NONSENSE;
	if (why) {
		buf_free(&packet);
		dns_answer_fail(a, why);
		return;
	}
	a->storage = packet;
}

struct dns_client *dns_client_new(void (*watch)(void *ctx, int fd), void *ctx)
{
	struct dns_client *c = mem_zero(1, sizeof *c);

	c->fd = -1;
	c->questions.prev = c->questions.next = &c->questions;
	c->watch = watch;
	c->watch_ctx = ctx;
	c->packet = BUF_INIT(UNIXSOCK_PACKET_MAX);
	return c;
}

static void question_free(struct dns_client *c, struct question *q)
{
	if (!q->sent)
		c->unsent--;
	q->prev->next = q->next;
	q->next->prev = q->prev;
	free(q->name);
	free(q);
}

static struct question *question_find(const struct dns_client *c, uint32_t id)
{
	for (struct question *q = c->questions.next; q != &c->questions; q = q->next)
		if (q->id == id)
			return q;
	return NULL;
}

static void disconnect(struct dns_client *c)
{
	if (c->fd == -1)
		return;
	c->watch(c->watch_ctx, -1);
	close(c->fd);
	c->fd = -1;
	c->unsent = 0;
	for (struct question *q = c->questions.next; q != &c->questions; q = q->next) {
		q->sent = false;
		c->unsent++;
	}
}

void dns_client_free(struct dns_client *c)
{
	if (c == NULL)
		return;
	disconnect(c);
	while (c->questions.next != &c->questions)
		question_free(c, c->questions.next);
	buf_free(&c->packet);
	free(c);
}

static bool ensure_connected(struct dns_client *c)
{
	struct err e;

	if (c->fd != -1)
		return true;
	if (!connect_resolver(&c->fd, &e)) {
		c->fd = -1;
		return false;
	}
	io_set_nonblocking(c->fd, true);
	c->watch(c->watch_ctx, c->fd);
	return true;
}

/* Sends what was not sent yet; what does not fit now goes with the next tick. */
static void send_waiting(struct dns_client *c)
{
	if (c->unsent == 0 || !ensure_connected(c))
		return;
	for (struct question *q = c->questions.next; q != &c->questions; q = q->next) {
		if (q->sent)
			continue;
		if (!send_question(c->fd, q->id, q->type, str_of(q->name))) {
			if (errno != EAGAIN)
				disconnect(c);
			return;
		}
		q->sent = true;
		c->unsent--;
	}
}

uint32_t dns_client_ask(struct dns_client *c, enum dns_type type, struct str name, dns_callback *callback, void *ctx)
{
	struct question *q = mem_zero(1, sizeof *q);

	if (++c->last_id == 0)
		c->last_id = 1;
	q->id = c->last_id;
	q->type = type;
	/* A longer name does not exist; cut, it is refused by the resolver as a name that cannot be. */
	q->name = mem_copy(str_head(name, DNS_NAME_MAX));
	q->deadline = clock_monotonic_ms() + DNS_TIMEOUT_MS;
	q->callback = callback;
	q->ctx = ctx;
	q->prev = c->questions.prev;
	q->next = &c->questions;
	q->prev->next = q->next->prev = q;
	if (ensure_connected(c) && send_question(c->fd, q->id, type, str_of(q->name)))
		q->sent = true;
	else
		c->unsent++;
	return q->id;
}

void dns_client_cancel(struct dns_client *c, uint32_t id)
{
	struct question *q = question_find(c, id);

	if (q)
		question_free(c, q);
}

static void deliver(struct dns_client *c, struct question *q, const struct dns_answer *a)
{
	dns_callback *callback = q->callback;
	void *ctx = q->ctx;

	question_free(c, q);
	callback(ctx, a);
}

/* Answers one packet; false: the connection is of no use any more. */
static bool receive_one(struct dns_client *c)
{
	struct question *q;
	int passed;
	ssize_t n;

	buf_clear(&c->packet);
	n = unixsock_recv(c->fd, &c->packet, UNIXSOCK_PACKET_MAX, &passed);
	if (passed != -1)
		close(passed);
	if (n == -1 && errno == EAGAIN)
		return true;
	if (n <= 0 || !dns_get_answer(buf_str(&c->packet), &c->answer))
		return false;
	q = question_find(c, c->answer.id);
	if (q && q->sent)
		deliver(c, q, &c->answer);
	return true;
}

void dns_client_readable(struct dns_client *c)
{
	if (c->fd == -1)
		return;
	if (!receive_one(c)) {
		disconnect(c);
		return;
	}
	send_waiting(c);
}

void dns_client_tick(struct dns_client *c)
{
	int64_t now = clock_monotonic_ms();
	const char *why;

	send_waiting(c);
	why = c->fd == -1 ? NOT_RUNNING : NO_ANSWER;
	/* Questions stand in order of their deadlines. */
	while (c->questions.next != &c->questions && c->questions.next->deadline <= now) {
		dns_answer_fail(&c->answer, why);
		deliver(c, c->questions.next, &c->answer);
	}
}

#include "qmail-rspawn/sender.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "qmail-rspawn/job.h"
#include "qmail-rspawn/peer.h"
#include "qmail-rspawn/provider.h"
#include "sys/unixsock.h"
#include "wire/deadproto.h"
#include "wire/providerproto.h"

/* Results that qmail-send has not taken; it is stuck or gone when there are more. */
#define WAITING_MAX 100000
#define BATCH 32

struct packet {
	struct packet *next;
	struct buf data;
};

struct sender {
	struct sender *prev, *next;
	struct senders *all;
	int fd; /* -1: closed */
	struct event *readable, *writable;
	size_t jobs;
	struct packet *first, **last; /* results that wait */
	size_t waiting;
};

struct senders {
	struct rspawn *r;
	int listenfd;
	struct event *listening;
	struct sender connections; /* head of a ring */
	struct buf packet;
};

static void drop_packets(struct sender *s)
{
	while (s->first) {
		struct packet *p = s->first;

		s->first = p->next;
		buf_free(&p->data);
		free(p);
	}
	s->last = &s->first;
	s->waiting = 0;
}

static void free_unused(struct sender *s)
{
	if (s->fd != -1 || s->jobs)
		return;
	s->prev->next = s->next;
	s->next->prev = s->prev;
	free(s);
}

static void close_sender(struct sender *s)
{
	event_free(s->readable);
	event_free(s->writable);
	close(s->fd);
	s->fd = -1;
	drop_packets(s);
	free_unused(s);
}

bool sender_gone(const struct sender *s)
{
	return s->fd == -1;
}

void sender_use(struct sender *s)
{
	s->jobs++;
}

void sender_release(struct sender *s)
{
	s->jobs--;
	free_unused(s);
}

static void on_writable(evutil_socket_t fd, short what, void *ctx)
{
	struct sender *s = ctx;

	(void)what;
	while (s->first) {
		struct packet *p = s->first;

		if (unixsock_send(fd, buf_str(&p->data), -1) == -1) {
			/* Any other error shows when reading. */
			if (errno == EAGAIN)
				event_add(s->writable, NULL);
			return;
		}
		s->first = p->next;
		if (s->first == NULL)
			s->last = &s->first;
		s->waiting--;
		buf_free(&p->data);
		free(p);
	}
}

static void wait_to_send(struct sender *s, const struct buf *data)
{
	struct packet *p;

	if (s->waiting >= WAITING_MAX)
		return;
	p = mem_zero(1, sizeof *p);
	p->data = BUF_INIT(data->n);
	buf_add(&p->data, buf_str(data));
	*s->last = p;
	s->last = &p->next;
	s->waiting++;
	event_add(s->writable, NULL);
}

void sender_packet(struct sender *s, const struct buf *packet)
{
	if (s->fd == -1)
		return;
	if (s->first || (unixsock_send(s->fd, buf_str(packet), -1) == -1 && errno == EAGAIN))
		wait_to_send(s, packet);
}

void sender_result(struct sender *s, const struct delivery_result *result)
{
	struct buf *b = &s->all->packet;

	buf_clear(b);
	delivery_put_result(b, result);
	sender_packet(s, b);
}

/* Without control files nothing can be sent; local mail goes on, so this process stays. */
static void refuse(struct sender *s, const struct delivery_request *q)
{
	struct delivery_result result = { q->id, 0, 'Z', STR("Unable to read control files. (#4.3.0)\n"), 0 };

	for (; result.recipient < q->nrecipients; result.recipient++)
		sender_result(s, &result);
}

static void send_dead(void *ctx, const struct dead_host *h)
{
	struct sender *s = ctx;
	struct buf *b = &s->all->packet;

	buf_clear(b);
	dead_put_host(b, h);
	sender_packet(s, b);
}

static void answer_about_dead(struct sender *s, bool forget)
{
	struct dead_host end = { STR(""), 0, 0 };

	if (forget)
		peers_forget_dead(s->all->r->peers);
	peers_list_dead(s->all->r->peers, send_dead, s);
	send_dead(s, &end);
}

static void on_readable(evutil_socket_t fd, short what, void *ctx)
{
	struct sender *s = ctx;
	struct buf *b = &s->all->packet;
	struct rspawn *r = s->all->r;

	(void)what;
	/* Once for a batch: looking at the files costs more than receiving a request. */
	rspawn_check_settings(r);
	for (int i = 0; i < BATCH; i++) {
		struct delivery_request request;
		struct str host;
		bool forget;
		int message;
		ssize_t n;

		buf_clear(b);
		n = unixsock_recv(fd, b, UNIXSOCK_PACKET_MAX, &message);
		if (n == -1 && errno == EAGAIN)
			return;
		if (n > 0 && message == -1 && provider_get_question(buf_str(b), &host)) {
			provider_ask(r, s, host);
			continue;
		}
		if (n > 0 && message == -1 && dead_get_question(buf_str(b), &forget)) {
			answer_about_dead(s, forget);
			continue;
		}
		if (n <= 0 || message == -1 || !delivery_get_request(buf_str(b), &request)) {
			if (message != -1)
				close(message);
			close_sender(s);
			return;
		}
		if (r->settings == NULL) {
			close(message);
			refuse(s, &request);
			continue;
		}
		sender_use(s);
		job_start(r, s, buf_str(b), message);
	}
}

static void on_connection(evutil_socket_t fd, short what, void *ctx)
{
	struct senders *all = ctx;
	struct sender *s;
	int peer;

	(void)what;
	while ((peer = unixsock_accept(fd, UNIXSOCK_PACKET)) != -1) {
		s = mem_zero(1, sizeof *s);
		s->all = all;
		s->fd = peer;
		s->last = &s->first;
		s->readable = event_new(all->r->base, peer, EV_READ | EV_PERSIST, on_readable, s);
		s->writable = event_new(all->r->base, peer, EV_WRITE, on_writable, s);
		s->next = &all->connections;
		s->prev = all->connections.prev;
		s->prev->next = s->next->prev = s;
		event_add(s->readable, NULL);
	}
}

struct senders *senders_new(struct rspawn *r, int listenfd)
{
	struct senders *all = mem_zero(1, sizeof *all);

	all->r = r;
	all->listenfd = listenfd;
	all->connections.prev = all->connections.next = &all->connections;
	all->packet = BUF_INIT(UNIXSOCK_PACKET_MAX);
	all->listening = event_new(r->base, listenfd, EV_READ | EV_PERSIST, on_connection, all);
	event_add(all->listening, NULL);
	return all;
}

void senders_stop(struct senders *all)
{
	event_del(all->listening);
	for (struct sender *s = all->connections.next; s != &all->connections; s = s->next)
		if (s->fd != -1)
			event_del(s->readable);
}

void senders_free(struct senders *all)
{
	struct sender *next;

	for (struct sender *s = all->connections.next; s != &all->connections; s = next) {
		next = s->next;
		s->jobs = 0;
		if (s->fd != -1)
			close_sender(s);
		else
			free_unused(s);
	}
	event_free(all->listening);
	close(all->listenfd);
	buf_free(&all->packet);
	free(all);
}

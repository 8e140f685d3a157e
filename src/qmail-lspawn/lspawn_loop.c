/*
 * The loop: connections, requests, the output and the end of deliveries.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "qmail-lspawn/lspawn.h"
#include "sys/clock.h"
#include "sys/service.h"
#include "sys/unixsock.h"

/* How long running deliveries may take once we were asked to end. */
#define END_MS 60000
#define TICK_MS 1000

/* Places in the array for poll. */
enum { FD_SIGNALS, FD_LISTEN, FD_RECIPIENTS, FD_CONNECTIONS, FD_SLOTS = FD_CONNECTIONS + LSPAWN_CONNECTIONS };

struct watch {
	struct pollfd fds[FD_SLOTS + 2 * LSPAWN_SLOTS];
	struct slot *slots[LSPAWN_SLOTS]; /* those with a running delivery: two descriptors each, behind the others */
	size_t nslots;
};

static void prepare(struct lspawn *l, struct watch *w)
{
	short requests = l->listenfd == -1 || slots_full(l) ? 0 : POLLIN;

	w->fds[FD_SIGNALS] = (struct pollfd){ .fd = l->signalfd, .events = POLLIN };
	w->fds[FD_LISTEN] = (struct pollfd){ .fd = l->listenfd, .events = POLLIN };
	w->fds[FD_RECIPIENTS] = (struct pollfd){ .fd = l->recipients.epoll, .events = POLLIN };
	for (size_t i = 0; i < LSPAWN_CONNECTIONS; i++) {
		const struct connection *c = &l->connections[i];

		w->fds[FD_CONNECTIONS + i] = (struct pollfd){ .fd = c->fd, .events = requests };
		if (c->blocked)
			w->fds[FD_CONNECTIONS + i].events |= POLLOUT;
	}
	w->nslots = 0;
	for (size_t i = 0; i < l->top; i++) {
		struct pollfd *fds = &w->fds[FD_SLOTS + 2 * w->nslots];
		struct slot *s = &l->slots[i];

		if (s->state != SLOT_RUNNING)
			continue;
		fds[0] = (struct pollfd){ .fd = s->pipe, .events = POLLIN };
		fds[1] = (struct pollfd){ .fd = s->control, .events = POLLIN };
		w->slots[w->nslots++] = s;
	}
}

static void handle_signals(struct lspawn *l)
{
	struct signalfd_siginfo info;

	while (read(l->signalfd, &info, sizeof info) == (ssize_t)sizeof info) {
		if (info.ssi_signo != SIGTERM)
			continue;
		/* Asked twice: do not wait for anything. */
		if (l->listenfd == -1) {
			slots_kill_all(l);
			continue;
		}
		l->end = clock_monotonic_ms() + END_MS;
		close(l->listenfd);
		l->listenfd = -1;
		recipients_stop(l);
	}
	slots_reap(l);
}

static bool allowed(const struct lspawn *l, int fd)
{
	struct unixsock_peer peer;
	struct err e;

	if (!unixsock_peer(fd, &peer, &e))
		return false;
	if (peer.uid == 0 || peer.uid == l->uid || peer.uid == l->send_uid)
		return true;
	service_log("qmail-lspawn", "refused a connection from uid %lu", (unsigned long)peer.uid);
	return false;
}

static void handle_listener(struct lspawn *l)
{
	int fd;

	while ((fd = unixsock_accept(l->listenfd, UNIXSOCK_PACKET)) != -1) {
		struct connection *c = NULL;

		for (size_t i = 0; i < LSPAWN_CONNECTIONS; i++)
			if (l->connections[i].fd == -1)
				c = &l->connections[i];
		if (c == NULL || !allowed(l, fd))
			close(fd);
		else
			*c = (struct connection){ .fd = fd, .serial = ++l->serial };
	}
}

/* What still runs for it goes on; its results are dropped. */
static void disconnect(struct lspawn *l, struct connection *c)
{
	close(c->fd);
	c->fd = -1;
	slots_send_results(l, c);
}

/* Takes one request; false when there is none. */
static bool take_request(struct lspawn *l, struct connection *c, struct buf *packet)
{
	ssize_t r;
	int passfd;

	buf_clear(packet);
	r = unixsock_recv(c->fd, packet, UNIXSOCK_PACKET_MAX, &passfd);
	if (r == -1 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (r > 0 && lspawn_request(l, c, buf_str(packet), passfd))
		return true;
	if (r > 0)
		service_log("qmail-lspawn", "malformed request; closing that connection");
	disconnect(l, c);
	return false;
}

static void handle_connection(struct lspawn *l, struct connection *c, short events, struct buf *packet)
{
	if (c->fd != -1 && (events & POLLOUT))
		slots_send_results(l, c);
	if (l->listenfd == -1 && (events & (POLLHUP | POLLERR))) {
		disconnect(l, c);
		return;
	}
	if (events & (POLLIN | POLLHUP | POLLERR))
		while (!slots_full(l) && take_request(l, c, packet))
			;
}

static void handle(struct lspawn *l, const struct watch *w, struct buf *packet)
{
	for (size_t i = 0; i < w->nslots; i++) {
		const struct pollfd *fds = &w->fds[FD_SLOTS + 2 * i];

		if (fds[0].revents)
			slot_read(w->slots[i]);
		if (fds[1].revents)
			slot_done(l, w->slots[i]);
	}
	if (w->fds[FD_SIGNALS].revents)
		handle_signals(l);
	if (w->fds[FD_LISTEN].revents && l->listenfd != -1)
		handle_listener(l);
	if (w->fds[FD_RECIPIENTS].revents && l->listenfd != -1)
		recipients_handle(l);
	for (size_t i = 0; i < LSPAWN_CONNECTIONS; i++)
		if (w->fds[FD_CONNECTIONS + i].fd != -1 && w->fds[FD_CONNECTIONS + i].revents)
			handle_connection(l, &l->connections[i], w->fds[FD_CONNECTIONS + i].revents, packet);
}

void lspawn_loop(struct lspawn *l)
{
	struct buf packet = BUF_INIT(UNIXSOCK_PACKET_MAX);
	static struct watch w;

	while (l->listenfd != -1 || slots_busy(l, false)) {
		int64_t now = clock_monotonic_ms();
		int timeout;

		if (l->end && now > l->end)
			slots_kill_all(l);
		slots_tick(l, now);
		recipients_tick(l, now);
		prepare(l, &w);
		timeout = recipients_wait(l);
		if (timeout == -1 && (slots_busy(l, true) || l->orphans))
			timeout = TICK_MS;
		if (poll(w.fds, FD_SLOTS + 2 * w.nslots, timeout) > 0)
			handle(l, &w, &packet);
	}
	buf_free(&packet);
}

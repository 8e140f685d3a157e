#include "qmail-remote/exchange.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sys/clock.h"
#include "sys/io.h"

#define PIECE 65536

static bool wait_for(int fd, short events, int64_t deadline)
{
	for (;;) {
		struct pollfd p = { .fd = fd, .events = events };
		int64_t left = deadline - clock_monotonic_ms();
		int r;

		if (left <= 0)
			return false;
		r = poll(&p, 1, left > INT32_MAX ? INT32_MAX : (int)left);
		if (r > 0)
			return true;
		if (r == -1 && errno != EINTR)
			return false;
	}
}

static int open_connection(const struct outsettings *s, const struct outidentity *who, const struct destination *d,
			   size_t i)
{
	const struct peeraddress *a = &d->addresses[i];
	struct sockaddr_storage sa;
	socklen_t len = peeraddress_sockaddr(a, destination_port(d, i), &sa), size = sizeof errno;
	int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1, failed = 0;

	if (fd == -1)
		return -1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (!outidentity_bind(who, fd, a->v6)) {
		close(fd);
		return -1;
	}
	if (connect(fd, (void *)&sa, len) == 0)
		return fd;
	if (errno == EINPROGRESS && wait_for(fd, POLLOUT, clock_monotonic_ms() + destination_connect_ms(d, s, i)) &&
	    getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &size) == 0 && failed == 0)
		return fd;
	close(fd);
	return -1;
}

static void feed_content(struct session *s)
{
	static char piece[PIECE];
	ssize_t n = io_read(0, piece, sizeof piece);

	if (n < 0)
		session_content_failed(s);
	else if (n == 0)
		session_content_end(s);
	else
		session_content(s, (struct str){ piece, (size_t)n });
}

/* One wait for the server, one write or read; false: the connection is lost. */
static bool turn(struct sessionwire *w, int fd, int64_t deadline)
{
	static char input[PIECE];
	struct str out = sessionwire_out(w);
	struct pollfd p = { .fd = fd, .events = (short)(POLLIN | (out.n ? POLLOUT : 0)) };
	ssize_t n;

	if (!wait_for(fd, p.events, deadline) || poll(&p, 1, 0) == -1)
		return false;
	if (p.revents & (POLLIN | POLLHUP | POLLERR)) {
		n = io_read(fd, input, sizeof input);
		if (n == 0 || (n == -1 && errno != EAGAIN))
			return false;
		if (n > 0)
			sessionwire_input(w, (struct str){ input, (size_t)n });
	}
	out = sessionwire_out(w);
	if ((p.revents & POLLOUT) && out.n) {
		n = write(fd, out.p, out.n);
		if (n == -1 && errno != EAGAIN && errno != EINTR && !(p.revents & POLLIN))
			return false;
		if (n > 0)
			sessionwire_wrote(w, (size_t)n);
	}
	return true;
}

/* Returns whether content was read from descriptor 0. */
static bool converse(const struct outsettings *settings, struct sessionwire *w, int fd, struct transaction *t)
{
	struct session *s = w->s;
	struct str last;
	bool content_used = false;
	int64_t limit = (int64_t)settings->timeout_remote * 1000, deadline = clock_monotonic_ms() + limit;
	int64_t handshake = clock_monotonic_ms() + 2 * (int64_t)settings->timeout_connect * 1000;

	while (t->stage != TRANSACTION_DONE) {
		uint64_t written = s->written;
		size_t replies = s->replies;

		if (session_wants_content(s) && sessionwire_waiting(w) == 0) {
			content_used = true;
			feed_content(s);
		}
		if (t->stage == TRANSACTION_DONE)
			break;
		if (!turn(w, fd, deadline)) {
			if (clock_monotonic_ms() >= deadline)
				sessionwire_late(w);
			else
				sessionwire_lost(w);
			break;
		}
		/* Progress is a whole reply or bytes that went out: a server that drips gains no time. */
		if (s->written != written || s->replies != replies)
			deadline = clock_monotonic_ms() + limit;
		/* A handshake is a part of getting a connection. */
		if (s->stage == SESSION_HANDSHAKE && deadline > handshake)
			deadline = handshake;
	}
	sessionwire_quit(w);
	last = sessionwire_out(w);
	/* QUIT is a courtesy: nobody waits for it to arrive. */
	if (last.n && write(fd, last.p, last.n) == -1)
		session_free(s);
	return content_used;
}

/* The last two: the same server once more. */
enum attempt { ATTEMPT_OVER, ATTEMPT_UNREACHABLE, ATTEMPT_NEXT, ATTEMPT_CLEAR, ATTEMPT_PLAIN };

/* No connection: was it for want of the address that we should come from? */
static void note_no_source(const struct outidentity *who, bool v6, struct transaction *t)
{
	struct buf text = BUF_INIT(1000);

	if (t->message.letter || outidentity_usable(who, v6))
		return;
	outidentity_report(who, v6, errno, &text);
	transaction_record_set(&t->message, 'Z', buf_str(&text));
	buf_free(&text);
}

/* One connection, and what to do without. `start`: where the content begins, -1: it cannot be read twice. */
static enum attempt attempt(struct outsettings *settings, const struct destination *d, size_t i, enum attempt without,
			    off_t start, struct transaction *t)
{
	char peer[PEERADDRESS_TEXT_MAX], server[PEERADDRESS_TEXT_MAX + 8];
	uint16_t port = destination_port(d, i);
	const struct outidentity *who = outidentities_find(&settings->identities, t->sender);
	int fd = open_connection(settings, who, d, i);
	struct session_policy policy;
	struct sessionwire w;
	struct session s;
	bool content_used;

	if (fd == -1) {
		note_no_source(who, d->addresses[i].v6, t);
		return ATTEMPT_UNREACHABLE;
	}
	/* The report of an earlier address stands when no later one can be reached. */
	transaction_restart(t);
	peeraddress_text(&d->addresses[i], peer);
	snprintf(server, sizeof server, "%s:%u", peer, port);
	destination_policy(d, settings, i, &policy);
	if (without == ATTEMPT_CLEAR)
		policy.tls = SESSION_TLS_NEVER;
	policy.no_chunking |= without == ATTEMPT_PLAIN;
	policy.no_pipelining = policy.no_parameters = without == ATTEMPT_PLAIN;
	session_init_policy(&s, peer, who->helo[d->addresses[i].v6], &policy);
	sessionwire_init(&w, &s, settings->tls.context, server);
	session_begin(&s, t);
	content_used = converse(settings, &w, fd, t);
	sessionwire_free(&w);
	session_free(&s);
	close(fd);
	if (!t->try_another || (content_used && (start == -1 || lseek(0, start, SEEK_SET) == -1)))
		return ATTEMPT_OVER;
	if (s.tls_failed && policy.tls == SESSION_TLS_MAY)
		return ATTEMPT_CLEAR;
	return s.chunking_failed || s.pipelining_failed || s.parameters_failed ? ATTEMPT_PLAIN : ATTEMPT_NEXT;
}

/* The size that the content will have on the wire, where it can be read twice. */
static void measure(off_t start, struct transaction *t)
{
	static char piece[PIECE];
	struct dotstuff d = DOTSTUFF_BARE;
	struct buf none = BUF_INIT(0);
	ssize_t n;

	if (start == -1)
		return;
	while ((n = io_read(0, piece, sizeof piece)) > 0)
		t->wire_size += dotstuff_measure(&d, (struct str){ piece, (size_t)n });
	t->exact = n == 0 && dotstuff_end(&d, &none);
	t->partial = n == 0 && !t->exact;
	if (lseek(0, start, SEEK_SET) == -1)
		t->exact = false;
}

/* QMTP must know the length of what comes through a pipe. */
static void keep_content(void)
{
	static char piece[PIECE];
	int fd = memfd_create("message", MFD_CLOEXEC);
	ssize_t n;

	if (fd == -1)
		return;
	while ((n = io_read(0, piece, sizeof piece)) > 0)
		if (io_write_all(fd, piece, (size_t)n) == -1)
			break;
	/* What cannot be read to its end stays there, to fail. */
	if (n == 0 && lseek(fd, 0, SEEK_SET) == 0)
		dup2(fd, 0);
	close(fd);
}

static bool speaks_qmtp(struct outsettings *settings, const struct destination *d)
{
	struct session_policy policy;
	bool found = false;

	for (size_t i = 0; i < d->n; i++)
		found |= destination_policy(d, settings, i, &policy) && policy.qmtp;
	return found;
}

bool exchange(struct outsettings *settings, const struct destination *d, struct transaction *t)
{
	off_t start = lseek(0, 0, SEEK_CUR);
	struct session_policy policy;

	if (start == -1 && speaks_qmtp(settings, d)) {
		keep_content();
		start = lseek(0, 0, SEEK_CUR);
	}
	if (t->wire_size == 0)
		measure(start, t);
	for (size_t i = 0; i < d->n; i++) {
		enum attempt a;

		if (!destination_policy(d, settings, i, &policy))
			continue;
		a = attempt(settings, d, i, ATTEMPT_NEXT, start, t);
		if (a == ATTEMPT_CLEAR || a == ATTEMPT_PLAIN)
			a = attempt(settings, d, i, a, start, t);
		if (a == ATTEMPT_OVER)
			return true;
		/* Who takes connections for QMTP is not tried by SMTP as well. */
		if (d->qmtp[i] && a == ATTEMPT_NEXT)
			i++;
	}
	return false;
}

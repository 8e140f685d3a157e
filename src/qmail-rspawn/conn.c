#include "qmail-rspawn/conn.h"

#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "qmail-rspawn/peer.h"
#include "sys/clock.h"

#define PIECE 65536         /* content read at once, and bytes received at once */
#define OUT_ENOUGH 65536    /* more content is encoded when less than this waits to be written */
#define SLOWEST_BYTES 1000u /* per second; a transaction's time limit grows with its size */
#define REPLIES_PATIENCE 6  /* timeoutremotes that one transaction may take in all */

static void on_readable(evutil_socket_t fd, short what, void *ctx);
static void on_writable(evutil_socket_t fd, short what, void *ctx);

static int64_t remote_ms(const struct conn *c)
{
	return (int64_t)c->settings->s.timeout_remote * 1000;
}

static void extend_deadline(struct conn *c)
{
	int64_t patience = remote_ms(c), connect = (int64_t)c->settings->s.timeout_connect * 1000;

	/* A handshake is a part of getting a connection. */
	if (c->session.stage == SESSION_HANDSHAKE && patience > connect)
		patience = connect;
	c->deadline = clock_monotonic_ms() + patience;
}

static void start_limit(struct conn *c)
{
	c->limit = clock_monotonic_ms() + REPLIES_PATIENCE * remote_ms(c) +
		   (int64_t)(c->jobs[0]->request.size / SLOWEST_BYTES % INT32_MAX) * 1000;
}

static void begin(struct conn *c, struct job *j)
{
	transaction_restart(&j->transaction);
	j->offset = 0;
	c->session.rcpt_max = peer_rcpt_max(c->peer, c->session.rcpt_max);
	session_begin(&c->session, &j->transaction);
}

static void attach(struct conn *c, struct job *j)
{
	size_t i = c->jobs[0] ? 1 : 0;

	c->jobs[i] = j;
	c->reused[i] = c->session.messages > 0 || i == 1;
	if (i == 0)
		start_limit(c);
	begin(c, j);
}

/* Everything but the memory, which peers_tick frees: callers up the stack may still look at it. */
static void release(struct conn *c)
{
	event_free(c->readable);
	event_free(c->writable);
	close(c->fd);
	sessionwire_free(&c->wire);
	session_free(&c->session);
	free(c->name);
	settings_drop(c->settings);
	c->jobs[0] = c->jobs[1] = NULL;
	c->dead = true;
}

static void init_session(struct conn *c, const char *peer, const struct session_policy *policy)
{
	struct session_policy own = *policy;
	char server[PEERADDRESS_TEXT_MAX + 8];

	c->name = mem_copy(policy->name);
	own.name.p = c->name;
	session_init_policy(&c->session, peer, c->identity->helo[peer_v6(c->peer)], &own);
	snprintf(server, sizeof server, "%s:%u", peer, peer_port(c->peer));
	sessionwire_init(&c->wire, &c->session, c->settings->s.tls.context, server);
}

struct conn *conn_new(struct peer *peer, const struct sockaddr *sa, socklen_t len, struct job *j)
{
	int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct event_base *base = peer_rspawn(peer)->base;
	struct conn *c;
	int on = 1;

	if (fd == -1)
		return NULL;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	c = mem_zero(1, sizeof *c);
	c->peer = peer;
	c->settings = settings_use(j->settings);
	c->identity = j->identity;
	c->fd = fd;
	c->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, c);
	c->writable = event_new(base, fd, EV_WRITE, on_writable, c);
	init_session(c, peer_text(peer), &j->policy);
	/* The transaction begins with the connection: until then it keeps the words of an earlier address. */
	c->jobs[0] = j;
	c->connecting = c->writing = true;
	c->deadline = clock_monotonic_ms() +
		      peer_connect_ms(peer, destination_connect_ms(&j->destination, &c->settings->s, j->address));
	/* A connect that fails at once is reported through the event all the same: the socket has an error then. */
	if (outidentity_bind(c->identity, fd, peer_v6(peer)) && (connect(fd, sa, len) == 0 || errno == EINPROGRESS)) {
		event_add(c->writable, NULL);
	} else {
		c->error = errno;
		event_active(c->writable, EV_TIMEOUT, 0);
	}
	return c;
}

/* The connection is over; its jobs learn their end, in their order. */
static void end(struct conn *c, enum conn_end how, int error)
{
	struct job *jobs[] = { c->jobs[0], c->jobs[1] };
	bool reused[] = { c->reused[0], c->reused[1] };
	struct peer *peer = c->peer;

	peer_conn_ended(c->peer, c, how, error);
	release(c);
	for (size_t i = 0; i < 2; i++) {
		if (jobs[i] == NULL)
			continue;
		if (how == CONN_CLOSED)
			job_done(jobs[i], reused[i]);
		else if (!peer_wait_for_others(peer, NULL, jobs[i]))
			job_unreachable(jobs[i], error);
	}
}

/* Reports what is done; the jobs may come back through conn_assign. */
static void collect_done(struct conn *c)
{
	if (c->session.tls_failed && c->session.policy.tls == SESSION_TLS_MAY)
		peer_tls_failed(c->peer);
	peer_offers_failed(c->peer, &c->session);
	while (c->jobs[0] && c->jobs[0]->transaction.stage == TRANSACTION_DONE) {
		struct job *j = c->jobs[0];
		bool reused = c->reused[0];

		c->jobs[0] = c->jobs[1];
		c->reused[0] = c->reused[1];
		c->jobs[1] = NULL;
		if (c->jobs[0])
			start_limit(c);
		j->tls_failed = c->session.tls_failed;
		/* Time was spent enough when it was silent. */
		j->offers_failed = c->session.chunking_failed || c->session.parameters_failed ||
				   (c->session.pipelining_failed && !c->session.silent);
		if (j->transaction.message.letter == 'K')
			peer_success(c->peer);
		if (!c->session.busy || !peer_wait_for_others(c->peer, c, j))
			job_done(j, reused);
	}
}

/* Gives the session work that waits. */
static void take_waiting(struct conn *c)
{
	while (session_takes(&c->session, true) && !(c->jobs[0] && c->jobs[1])) {
		struct job *j = peer_next_job(c->peer, c, c->session.messages > 0 || c->jobs[0]);

		if (j == NULL)
			return;
		if (c->jobs[0] == NULL)
			extend_deadline(c);
		attach(c, j);
		collect_done(c);
	}
}

/* The next piece for the transaction that wants one, or its end. */
static void feed_piece(struct conn *c, struct job *j)
{
	static char piece[PIECE];
	struct session *s = &c->session;
	/* Nobody waits for the result any more; who asks again would make it a duplicate. */
	ssize_t n = sender_gone(j->sender) ? -1 : job_read(j, j->offset, piece, sizeof piece);

	if (n == -1) {
		session_content_failed(s);
		return;
	}
	session_content(s, (struct str){ piece, (size_t)n });
	j->offset += (uint64_t)n;
	if (j->offset == j->request.size && session_wants_content(s) == &j->transaction)
		session_content_end(s);
}

static void feed_content(struct conn *c)
{
	const struct transaction *t;

	while (sessionwire_waiting(&c->wire) < OUT_ENOUGH && (t = session_wants_content(&c->session)) != NULL)
		feed_piece(c, t == &c->jobs[0]->transaction ? c->jobs[0] : c->jobs[1]);
}

/* False: the connection broke. */
static bool flush(struct conn *c)
{
	struct str out;

	while (!c->writing && (out = sessionwire_out(&c->wire)).n) {
		ssize_t n = send(c->fd, out.p, out.n, MSG_NOSIGNAL);

		if (n > 0) {
			sessionwire_wrote(&c->wire, (size_t)n);
			extend_deadline(c);
			continue;
		}
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && errno != EAGAIN)
			return false;
		c->writing = true;
		event_add(c->writable, NULL);
	}
	return true;
}

static void become_idle(struct conn *c)
{
	c->idle = true;
	c->deadline = clock_monotonic_ms() + RSPAWN_IDLE_MS;
	peer_conn_idle(c->peer, c);
}

/* Does everything that can be done without waiting. */
static void progress(struct conn *c)
{
	struct session *s = &c->session;
	uint64_t written;

	do {
		collect_done(c);
		if (s->stage == SESSION_BROKEN || c->idle)
			break;
		take_waiting(c);
		feed_content(c);
		written = s->written;
		/* A connection that broke is readable: first come the server's last words, then its end. */
		if (!flush(c))
			break;
	} while (session_wants_content(s) && s->written != written);
	collect_done(c);
	if (s->stage == SESSION_BROKEN)
		end(c, CONN_CLOSED, 0);
	else if (c->jobs[0] == NULL && (peer_has_waiting(c->peer) || !session_takes(s, false)))
		conn_quit(c);
	else if (c->jobs[0] == NULL && !c->idle)
		become_idle(c);
}

void conn_assign(struct conn *c, struct job *j)
{
	c->idle = false;
	extend_deadline(c);
	attach(c, j);
	progress(c);
}

static void on_connected(struct conn *c)
{
	int failed = 0;
	socklen_t size = sizeof failed;

	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &failed, &size) == -1)
		failed = errno;
	if (failed) {
		end(c, failed == ETIMEDOUT ? CONN_TIMED_OUT : CONN_REFUSED, failed);
		return;
	}
	c->connecting = false;
	peer_connected(c->peer);
	extend_deadline(c);
	event_add(c->readable, NULL);
	start_limit(c);
	begin(c, c->jobs[0]);
	progress(c);
}

static void on_writable(evutil_socket_t fd, short what, void *ctx)
{
	struct conn *c = ctx;

	(void)fd;
	c->writing = false;
	if (c->connecting && what == EV_TIMEOUT)
		end(c, CONN_REFUSED, c->error);
	else if (c->connecting)
		on_connected(c);
	else
		progress(c);
}

static void on_readable(evutil_socket_t fd, short what, void *ctx)
{
	static char input[PIECE];
	struct conn *c = ctx;
	size_t replies = c->session.replies;
	ssize_t n = recv(fd, input, sizeof input, 0);

	(void)what;
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0)
		sessionwire_lost(&c->wire);
	else
		sessionwire_input(&c->wire, (struct str){ input, (size_t)n });
	if (c->session.replies != replies && !c->idle)
		extend_deadline(c);
	progress(c);
}

void conn_tick(struct conn *c, int64_t now)
{
	bool late = now >= c->deadline || (c->jobs[0] && !c->connecting && now >= c->limit);

	if (c->dead || !late)
		return;
	if (c->connecting) {
		end(c, CONN_TIMED_OUT, ETIMEDOUT);
	} else if (c->idle) {
		conn_quit(c);
	} else {
		sessionwire_late(&c->wire);
		progress(c);
	}
}

void conn_quit(struct conn *c)
{
	sessionwire_quit(&c->wire);
	flush(c);
	end(c, CONN_CLOSED, 0);
}

void conn_abandon(struct conn *c)
{
	for (size_t i = 0; i < 2; i++)
		if (c->jobs[i])
			job_free(c->jobs[i]);
	release(c);
	free(c);
}

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pop3/popauth.h"
#include "pop3/popwire.h"
#include "qmail-popup/popup.h"
#include "sandbox/sandbox.h"
#include "sys/accounts.h"
#include "sys/clock.h"
#include "sys/io.h"
#include "tlsrelay/tlsrelay.h"

#define PIECE 16384

/* Descriptors that are there are all it needs. */
static const struct sandbox_rights rights = { .may = SANDBOX_BRIEF, .memory = 256 * SANDBOX_MIB };

struct front {
	const struct popup_front *f;
	struct popwire wire; /* without TLS; its line and its replies also with it */
	struct popauth auth;
	struct tls_server *tls;
};

/* ---- TLS -------------------------------------------------------------------------- */

/* A read that waits no longer than `until`; 0: there will be nothing more. */
static ssize_t read_within(int fd, char *piece, int64_t until)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	for (;;) {
		int64_t left = until - clock_monotonic_ms();
		ssize_t r = left > 0 && poll(&p, 1, (int)left) > 0 ? read(fd, piece, PIECE) : -1;

		if (r >= 0)
			return r;
		if (left <= 0 || (errno != EINTR && errno != EAGAIN))
			return 0;
	}
}

/* Everything that TLS has for the client. False: he has gone. */
static bool flush_tls(struct front *s)
{
	int64_t until = clock_monotonic_ms() + POPWIRE_SECONDS * 1000;
	struct pollfd p = { .fd = s->f->out, .events = POLLOUT };

	while (tls_server_wire(s->tls).n) {
		struct str wire = tls_server_wire(s->tls);
		int64_t left = until - clock_monotonic_ms();
		ssize_t r = left > 0 && poll(&p, 1, (int)left) > 0 ? write(s->f->out, wire.p, wire.n) : -1;

		if (r > 0)
			tls_server_wrote(s->tls, (size_t)r);
		else if (left <= 0 || r == 0 || (errno != EINTR && errno != EAGAIN))
			return false;
	}
	return true;
}

/* Takes what the client sends next. */
static bool more_tls(struct front *s)
{
	char piece[PIECE];
	ssize_t r = read_within(s->f->in, piece, clock_monotonic_ms() + POPWIRE_SECONDS * 1000);

	if (r <= 0)
		return false;
	tls_server_input(s->tls, (struct str){ piece, (size_t)r });
	explicit_bzero(piece, sizeof piece);
	return flush_tls(s) && tls_server_state(s->tls) != TLS_SERVER_FAILED;
}

static bool begin_tls(struct front *s)
{
	io_set_nonblocking(s->f->in, true);
	io_set_nonblocking(s->f->out, true);
	s->tls = tls_server_new(s->f->popup->tls);
	while (tls_server_state(s->tls) == TLS_SERVER_HANDSHAKE)
		if (!more_tls(s))
			return false;
	popauth_secure(&s->auth);
	/* What was in the line's beginning was not protected. */
	s->wire.line.n = 0;
	return tls_server_state(s->tls) == TLS_SERVER_OPEN;
}

static bool reply(struct front *s)
{
	if (s->tls == NULL)
		return popwire_flush(&s->wire);
	tls_server_send(s->tls, buf_str(&s->wire.replies));
	buf_clear(&s->wire.replies);
	return flush_tls(s);
}

/* The next line; *line is valid until the next call. */
static bool next_line(struct front *s, struct str *line)
{
	/* What follows a password in clear text is for the program: not a byte of it is read here. */
	if (s->tls == NULL)
		return popwire_line(&s->wire, true, line);
	for (;;) {
		struct buf *plain = tls_server_plain(s->tls);
		struct str rest = buf_str(plain);
		bool ready = popline_next(&s->wire.line, &rest, line);

		buf_consume(plain, plain->n - rest.n);
		if (ready)
			return true;
		if (!reply(s) || tls_server_state(s->tls) != TLS_SERVER_OPEN || !more_tls(s))
			return false;
	}
}

static void relay(const struct front *s)
{
	const struct tls_side side = { .server = s->tls };
	const struct tlsrelay_ends ends = { s->f->in, s->f->out, s->f->data, dup(s->f->data) };

	io_set_nonblocking(s->f->data, true);
	tlsrelay_run(&side, &ends, (POPWIRE_SECONDS + 60) * 1000);
}

/* ---- the dialogue ----------------------------------------------------------------- */

static void log_in(struct front *s)
{
	struct buf packet = BUF_INIT(POPUP_PACKET_MAX);
	bool sent;

	buf_addc(&packet, s->tls ? POPUP_TLS : POPUP_CLEAR);
	buf_add(&packet, buf_str(&s->auth.credentials));
	sent = buf_ok(&packet) && send(s->f->monitor, packet.p, packet.n, MSG_NOSIGNAL) == (ssize_t)packet.n;
	buf_free_secret(&packet);
	popauth_free(&s->auth);
	close(s->f->monitor);
	alarm(0);
	if (sent && s->tls)
		relay(s);
}

static void talk(struct front *s)
{
	enum popauth_next next = POPAUTH_LINE;
	struct str line;

	if (s->f->popup->tls_at_once && !begin_tls(s))
		return;
	popauth_greet(&s->auth, &s->wire.replies);
	while (next == POPAUTH_LINE && next_line(s, &line)) {
		next = popauth_line(&s->auth, line, &s->wire.replies);
		if (next == POPAUTH_TLS && reply(s) && begin_tls(s))
			next = POPAUTH_LINE;
	}
	if (!reply(s))
		return;
	if (next == POPAUTH_LOGIN)
		log_in(s);
	else if (s->tls) {
		tls_server_close(s->tls);
		flush_tls(s);
	}
}

_Noreturn void popup_front(const struct popup_front *f)
{
	static struct front s;
	struct err e;

	/* For everything before the login: a stranger who sends a byte now and then cannot stay. */
	signal(SIGALRM, SIG_DFL);
	alarm(POPWIRE_SECONDS);
	s.f = f;
	s.auth = POPAUTH_INIT;
	s.auth.stamp = f->stamp;
	s.auth.tls_offered = f->popup->tls != NULL;
	s.auth.tls_required = f->popup->tls_required;
	popwire_start(&s.wire, f->in, f->out);
	if (f->popup->change_user && !accounts_become(f->popup->uid, f->popup->gid, &e))
		_exit(111);
	/* Nobody would take a password any more. Becoming another user would have undone this. */
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) == -1 || getppid() != f->parent || !sandbox_enter(&rights, &e))
		_exit(111);
	talk(&s);
	tls_server_free(s.tls);
	_exit(0);
}

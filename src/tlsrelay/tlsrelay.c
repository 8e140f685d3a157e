#include "tlsrelay/tlsrelay.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sys/clock.h"
#include "tls/tlsvariables.h"

#define PIECE 16384
/* More than this does not wait in one direction. */
#define PILE 65536
#define LINGER_MS 60000 /* for a peer to take the rest */

/* ---- whichever side it is ---- */

static bool shaking_hands(const struct tls_side *t)
{
	return t->server ? tls_server_state(t->server) == TLS_SERVER_HANDSHAKE
			 : tls_client_state(t->client) == TLS_HANDSHAKE;
}

static bool is_open(const struct tls_side *t)
{
	return t->server ? tls_server_state(t->server) == TLS_SERVER_OPEN : tls_client_state(t->client) == TLS_OPEN;
}

static void input(const struct tls_side *t, struct str bytes)
{
	if (t->server)
		tls_server_input(t->server, bytes);
	else
		tls_client_input(t->client, bytes);
}

static struct buf *plain(const struct tls_side *t)
{
	return t->server ? tls_server_plain(t->server) : tls_client_plain(t->client);
}

static void output(const struct tls_side *t, struct str bytes)
{
	if (t->server)
		tls_server_send(t->server, bytes);
	else if (is_open(t))
		tls_client_send(t->client, bytes);
}

static void close_output(const struct tls_side *t)
{
	if (t->server)
		tls_server_close(t->server);
	else
		tls_client_close(t->client);
}

static struct str wire(const struct tls_side *t)
{
	return t->server ? tls_server_wire(t->server) : tls_client_wire(t->client);
}

static void wrote(const struct tls_side *t, size_t n)
{
	if (t->server)
		tls_server_wrote(t->server, n);
	else
		tls_client_wrote(t->client, n);
}

static const char *error_text(const struct tls_side *t)
{
	return t->server ? tls_server_error(t->server) : tls_client_error(t->client);
}

void tlsrelay_describe(const struct tls_side *t, struct buf *to)
{
	if (t->server)
		tls_server_describe(t->server, to);
	else
		tls_client_describe(t->client, to);
}

void tlsrelay_variables(const struct tls_side *t, struct buf *to)
{
	if (t->server)
		tls_server_variables(t->server, to);
	else
		tls_client_variables(t->client, to);
}

/* ---- moving bytes ---- */

static bool later(ssize_t r)
{
	return r == -1 && (errno == EAGAIN || errno == EINTR);
}

/* False: nothing more comes from there. */
static bool read_wire(const struct tls_side *t, int fd)
{
	char piece[PIECE];
	ssize_t r = read(fd, piece, sizeof piece);

	if (r > 0)
		input(t, (struct str){ piece, (size_t)r });
	return r > 0 || later(r);
}

static bool write_wire(const struct tls_side *t, int fd)
{
	struct str w = wire(t);
	ssize_t r = write(fd, w.p, w.n);

	if (r > 0)
		wrote(t, (size_t)r);
	return r > 0 || later(r);
}

bool tlsrelay_handshake(const struct tls_side *t, int fd, int64_t deadline, struct err *e)
{
	bool alive = true;

	while (alive && (shaking_hands(t) || wire(t).n)) {
		int64_t left = deadline - clock_monotonic_ms();
		struct pollfd p = { .fd = fd, .events = POLLIN };

		if (wire(t).n)
			p.events = POLLOUT;
		if (left <= 0 || poll(&p, 1, left > 1000000 ? 1000000 : (int)left) == 0)
			return err_temp(e, "%s", errno_text(ETIMEDOUT));
		if (p.revents)
			alive = wire(t).n ? write_wire(t, fd) : read_wire(t, fd);
	}
	if (is_open(t))
		return true;
	return err_temp(e, "%s", shaking_hands(t) ? "connection died" : error_text(t));
}

struct relay {
	const struct tls_side *t;
	struct tlsrelay_ends e; /* `to` and `from`: -1 once closed */
	bool over;              /* the other side sends nothing more */
};

/* The program may hold more copies of a socket than we know of. */
static void end_input(struct relay *r)
{
	shutdown(r->e.to, SHUT_WR);
	close(r->e.to);
	r->e.to = -1;
}

static void read_program(struct relay *r)
{
	char piece[PIECE];
	ssize_t n = read(r->e.from, piece, sizeof piece);

	if (n > 0) {
		output(r->t, (struct str){ piece, (size_t)n });
	} else if (!later(n)) {
		close(r->e.from);
		r->e.from = -1;
		close_output(r->t);
	}
}

/* A program that reads nothing more loses what comes. */
static void write_program(struct relay *r)
{
	struct buf *b = plain(r->t);
	ssize_t n = r->e.to == -1 ? (ssize_t)b->n : write(r->e.to, b->p, b->n);

	if (n >= 0)
		buf_consume(b, (size_t)n);
	else if (!later(n)) {
		end_input(r);
		buf_clear(b);
	}
}

/* One round; false: it is over, or nothing moved. */
static bool move(struct relay *r, int64_t idle_ms)
{
	size_t up = plain(r->t)->n, down = wire(r->t).n;
	struct pollfd p[4] = {
		{ .fd = r->over || up > PILE ? -1 : r->e.in, .events = POLLIN },
		{ .fd = down ? r->e.out : -1, .events = POLLOUT },
		{ .fd = down > PILE ? -1 : r->e.from, .events = POLLIN },
		{ .fd = up ? r->e.to : -1, .events = POLLOUT },
	};

	if (r->e.from == -1 && down == 0)
		return false;
	/* When the program has ended, nobody counts this process any more. */
	if (r->e.from == -1 && idle_ms > LINGER_MS)
		idle_ms = LINGER_MS;
	if (poll(p, 4, idle_ms > 1000000000 ? 1000000000 : (int)idle_ms) <= 0)
		return errno == EINTR;
	if (p[0].revents && (!read_wire(r->t, r->e.in) || !is_open(r->t)))
		r->over = true;
	if (p[2].revents)
		read_program(r);
	if (p[3].revents || (r->e.to == -1 && up))
		write_program(r);
	return !p[1].revents || write_wire(r->t, r->e.out);
}

void tlsrelay_run(const struct tls_side *t, const struct tlsrelay_ends *ends, int64_t idle_ms)
{
	struct relay r = { t, *ends, !is_open(t) };

	signal(SIGPIPE, SIG_IGN);
	do {
		errno = 0;
		if (r.over && r.e.to != -1 && plain(t)->n == 0)
			end_input(&r);
	} while (move(&r, idle_ms));
	if (r.e.from != -1)
		close(r.e.from);
	if (r.e.to != -1)
		close(r.e.to);
}

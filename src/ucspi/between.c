#include "ucspi/between.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "base/exitcode.h"
#include "filter/chain.h"
#include "filter/tool.h"
#include "sys/io.h"

/* One direction. What was read is written before more is read. */
struct way {
	bool to_program;
	int from, to;    /* -1: closed */
	struct buf held; /* to be written */
};

static void close_once(int *fd)
{
	if (*fd != -1)
		close(*fd);
	*fd = -1;
}

static void read_piece(const struct between *r, struct way *w)
{
	char piece[BETWEEN_CHUNK];
	ssize_t n = read(w->from, piece, sizeof piece);

	if (n == -1 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n < 0)
		n = 0;
	r->pass(r->ctx, w->to_program, (struct str){ piece, (size_t)n }, &w->held);
	if (n == 0)
		close_once(&w->from);
}

static void write_held(struct way *w)
{
	ssize_t n = write(w->to, w->held.p, w->held.n);

	if (n >= 0)
		buf_consume(&w->held, (size_t)n);
	else if (errno != EINTR && errno != EAGAIN) {
		/* The receiver is gone: the sender is to notice. */
		close_once(&w->to);
		close_once(&w->from);
		buf_clear(&w->held);
	}
}

static void advance(const struct between *r, struct way *w, short events)
{
	if (events && w->held.n)
		write_held(w);
	else if (events)
		read_piece(r, w);
	if (w->from == -1 && w->held.n == 0)
		close_once(&w->to);
}

static struct pollfd wanted(const struct way *w)
{
	if (w->held.n)
		return (struct pollfd){ .fd = w->to, .events = POLLOUT };
	return (struct pollfd){ .fd = w->from, .events = POLLIN };
}

/* Until the program has closed its output and all of it is written. */
static _Noreturn void copy_both(const struct between *r, struct way ways[2])
{
	signal(SIGPIPE, SIG_IGN);
	while (ways[1].to != -1) {
		struct pollfd fds[2] = { wanted(&ways[0]), wanted(&ways[1]) };

		if (poll(fds, 2, -1) == -1)
			continue;
		for (int i = 0; i < 2; i++)
			advance(r, &ways[i], fds[i].revents);
	}
	_exit(0);
}

static _Noreturn void help(const struct between *r, int in, int out, long pid)
{
	struct way ways[2] = {
		{ true, 0, in, BUF_INIT(2 * BETWEEN_CHUNK) },
		{ false, out, 1, BUF_INIT(2 * BETWEEN_CHUNK) },
	};

	/* What else is open belongs to the program, and must not stay open when it closes it. */
	if (in > 3)
		close_range(3, (unsigned)in - 1, 0);
	if (out > in + 1)
		close_range((unsigned)in + 1, (unsigned)out - 1, 0);
	close_range((unsigned)out + 1, ~0u, 0);
	/* Only what would block the other direction; the outer descriptors may be shared with others. */
	io_set_nonblocking(in, true);
	if (r->begin)
		r->begin(r->ctx, pid);
	copy_both(r, ways);
}

_Noreturn void between_run(const struct between *r, char *const *argv)
{
	long pid = (long)getpid();
	int in[2], out[2]; /* the program's standard input and output */

	io_open_standard_fds();
	if (io_pipe(in) == -1 || io_pipe(out) == -1)
		tool_die(r->me, EXIT_TEMPORARY, "unable to create pipe: %s", errno_text(errno));
	switch (fork()) {
	case -1:
		tool_die(r->me, EXIT_TEMPORARY, "unable to fork: %s", errno_text(errno));
	case 0:
		close(in[0]);
		close(out[1]);
		help(r, in[1], out[0], pid);
	default:
		break;
	}
	if (dup2(in[0], 0) == -1 || dup2(out[1], 1) == -1)
		tool_die(r->me, EXIT_TEMPORARY, "unable to move descriptors: %s", errno_text(errno));
	chain_run(r->me, argv, NULL);
}

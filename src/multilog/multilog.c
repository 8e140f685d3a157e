/*
 * multilog SCRIPT…: reads lines and does with each what the arguments say:
 * select, show, keep in directories that rotate (contract-companions §2.3).
 * SIGTERM: ends after the present line. SIGALRM: new files. Exit 0, 111 when
 * something is missing at the start; later trouble only makes it wait.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/exitcode.h"
#include "base/tai64n.h"
#include "filter/tool.h"
#include "multilog/action.h"
#include "sys/clock.h"
#include "sys/io.h"

#define ME "multilog"
#define CHUNK 65536

static volatile sig_atomic_t terminated, alarmed;

static void on_signal(int signum)
{
	if (signum == SIGTERM)
		terminated = 1;
	else
		alarmed = 1;
}

struct input {
	struct actions *actions;
	bool stamped;     /* lines get a label */
	bool within;      /* a line has begun */
	bool decided;     /* and where it goes has been decided by its start */
	struct buf line;  /* its start, before that */
	sigset_t signals; /* the mask in which signals come through */
};

static void begin_line(struct input *in)
{
	char label[TAI64N_LABEL];

	in->within = true;
	in->decided = false;
	buf_clear(&in->line);
	if (!in->stamped)
		return;
	tai64n_label(label, tai64n_from_unix_ns(clock_wall_ns()));
	buf_add(&in->line, (struct str){ label, sizeof label });
	buf_addc(&in->line, ' ');
}

/* The start is as long as it will get: until its LF, or to the last byte that counts. */
static void decide(struct input *in, struct str raw)
{
	bool ended = raw.n && raw.p[raw.n - 1] == '\n';

	actions_line(in->actions, str_head(raw, raw.n - ended), raw);
	in->decided = true;
}

/* A piece that ends in LF, or is the last of what has come. Lines that have come as a whole are not copied. */
static void take(struct input *in, struct str piece)
{
	bool ends = piece.p[piece.n - 1] == '\n';
	struct str start;

	if (!in->within && !in->stamped && ends && piece.n <= ACTION_LINE_MAX) {
		decide(in, piece);
		return;
	}
	if (!in->within)
		begin_line(in);
	if (!in->decided) {
		start = str_head(piece, ACTION_LINE_MAX - in->line.n);
		buf_add(&in->line, start);
		piece = str_from(piece, start.n);
		if (in->line.n == ACTION_LINE_MAX || (ends && piece.n == 0))
			decide(in, buf_str(&in->line));
	}
	if (piece.n)
		actions_more(in->actions, piece);
	in->within = !ends;
}

static void take_all(struct input *in, struct str chunk)
{
	while (chunk.n) {
		size_t n = str_chr(chunk, '\n');

		n += n < chunk.n;
		take(in, str_head(chunk, n));
		chunk = str_from(chunk, n);
	}
}

/* As read(2). Signals come through only while nothing is there to read. -1 with EINTR: one came. */
static ssize_t read_some(const struct input *in, char *chunk, size_t n)
{
	struct pollfd wait = { .fd = 0, .events = POLLIN };

	if (ppoll(&wait, 1, NULL, &in->signals) == -1)
		return -1;
	return read(0, chunk, n);
}

/* What the writer has not got rid of yet stays in the pipe for our successor, but a line is not torn. */
static bool enough(const struct input *in)
{
	return terminated && !in->within;
}

static void run(struct input *in)
{
	static char chunk[CHUNK];

	while (!enough(in)) {
		ssize_t r;

		actions_flush(in->actions);
		if (alarmed) {
			alarmed = 0;
			actions_rotate(in->actions);
		}
		r = read_some(in, chunk, terminated ? 1 : sizeof chunk);
		if (r > 0)
			take_all(in, (struct str){ chunk, (size_t)r });
		else if (r == 0 || (errno != EINTR && errno != EAGAIN))
			break;
	}
	if (in->within)
		take(in, STR("\n"));
}

static void catch_signals(struct input *in)
{
	struct sigaction action = { .sa_handler = on_signal };
	sigset_t both;

	sigemptyset(&both);
	sigaddset(&both, SIGTERM);
	sigaddset(&both, SIGALRM);
	sigprocmask(SIG_BLOCK, &both, &in->signals);
	sigdelset(&in->signals, SIGTERM);
	sigdelset(&in->signals, SIGALRM);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGALRM, &action, NULL);
	/* A processor is waited for. */
	signal(SIGCHLD, SIG_DFL);
}

int main(int argc, char **argv)
{
	struct input in = { .line = BUF_INIT(ACTION_LINE_MAX) };

	(void)argc;
	io_open_standard_fds();
	umask(022);
	catch_signals(&in);
	in.stamped = argv[0] && argv[1] && argv[1][0] == 't';
	in.actions = actions_prepare(ME, argv + 1);
	run(&in);
	actions_close(in.actions);
	buf_free(&in.line);
	return 0;
}

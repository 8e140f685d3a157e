/*
 * usually FILE: copies its input, and shows each line that matches none of the
 * patterns in FILE on descriptor 2 as well (contract-companions §2.1). SIGHUP:
 * reads FILE again. Exit 111 when it cannot be read at first.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "base/exitcode.h"
#include "filter/tool.h"
#include "linelog/linefilter.h"
#include "linelog/linepattern.h"
#include "sys/io.h"

#define ME "usually"
#define LINE_LIMIT 500 /* bytes that are looked at and shown */
#define FILE_LIMIT (1u << 24)

static volatile sig_atomic_t hung_up;

struct state {
	const char *file;
	struct buf patterns;
	struct buf line; /* its start, with dots for the rest */
};

static void on_hangup(int signum)
{
	(void)signum;
	hung_up = 1;
}

/* Keeps the old patterns when there are no new ones to be had. */
static bool read_patterns(struct state *s)
{
	struct buf fresh = BUF_INIT(FILE_LIMIT);
	int fd = open(s->file, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	bool ok = fd != -1 && io_read_rest(fd, &fresh);
	int saved = errno;

	if (fd != -1)
		close(fd);
	if (ok) {
		buf_free(&s->patterns);
		s->patterns = fresh;
	} else {
		buf_free(&fresh);
	}
	errno = saved;
	return ok;
}

static bool usual(const struct state *s)
{
	struct str rest = buf_str(&s->patterns), pattern;

	if (s->line.n == 0)
		return true;
	while (str_next_line(&rest, &pattern))
		if (linepattern_match(pattern, buf_str(&s->line)))
			return true;
	return false;
}

static void judge(struct state *s)
{
	if (s->line.n > LINE_LIMIT) {
		buf_truncate(&s->line, LINE_LIMIT);
		buf_addz(&s->line, "...");
	}
	if (!usual(s)) {
		buf_addc(&s->line, '\n');
		io_write_all(2, s->line.p, s->line.n);
	}
	buf_clear(&s->line);
}

static void pass(void *ctx, struct buf *out, struct str piece, bool first)
{
	struct state *s = ctx;
	bool ended = piece.p[piece.n - 1] == '\n';

	(void)first;
	if (hung_up) {
		hung_up = 0;
		if (!read_patterns(s))
			tool_warn(ME, "unable to read %s: %s", s->file, errno_text(errno));
	}
	buf_add(out, piece);
	/* One byte more than is shown tells that there was more. */
	buf_add(&s->line, str_head(str_head(piece, piece.n - ended), LINE_LIMIT + 1 - s->line.n));
	if (ended)
		judge(s);
}

static void end(void *ctx, struct buf *out)
{
	(void)out;
	judge(ctx);
}

int main(int argc, char **argv)
{
	struct state s = { .patterns = BUF_INIT(FILE_LIMIT), .line = BUF_INIT(LINE_LIMIT + 8) };
	const struct linefilter filter = { .piece = pass, .end = end, .ctx = &s };
	struct sigaction action = { .sa_handler = on_hangup };
	int code;

	if (argc < 2)
		tool_usage(ME, "file");
	s.file = argv[1];
	sigaction(SIGHUP, &action, NULL);
	if (!read_patterns(&s))
		tool_die(ME, EXIT_TEMPORARY, "unable to read %s: %s", s.file, errno_text(errno));
	code = linefilter_run(ME, &filter);
	buf_free(&s.patterns);
	buf_free(&s.line);
	return code;
}

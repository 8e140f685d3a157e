/*
 * matchup: what qmail-send's log says of messages and deliveries, a line for
 * each; what is unfinished goes to descriptor 5 (contract-companions §6.1).
 * Exit 111 for trouble.
 */
#include <errno.h>
#include <fcntl.h>

#include "analog/pairing.h"
#include "base/err.h"
#include "base/exitcode.h"
#include "filter/tool.h"
#include "linelog/linefilter.h"
#include "sys/io.h"
#include "sys/random.h"

#define ME "matchup"
#define LINE_LIMIT (1u << 20)
#define PENDING_FD 5

struct state {
	struct pairing *pairing;
	struct buf line;
};

static void take(void *ctx, struct buf *out, struct str piece, bool first)
{
	struct state *s = ctx;
	bool ended = piece.p[piece.n - 1] == '\n';

	(void)first;
	buf_add(&s->line, str_head(piece, piece.n - ended));
	if (!ended)
		return;
	/* No line of a log is so long: what does not fit is left out. */
	if (buf_ok(&s->line))
		pairing_line(s->pairing, buf_str(&s->line), out);
	buf_clear(&s->line);
}

int main(void)
{
	struct state s = { .pairing = pairing_start(random_hash_key()), .line = BUF_INIT(LINE_LIMIT) };
	const struct linefilter filter = { .piece = take, .ctx = &s };
	struct buf pending = BUF_INIT(SIZE_MAX / 2);
	int code = linefilter_run(ME, &filter);

	pairing_pending(s.pairing, &pending);
	/* A last line that is not whole yet: the next log may begin with the rest. */
	buf_add(&pending, buf_str(&s.line));
	/* It must be there even where nothing is left for it: the next log will want it. */
	if (fcntl(PENDING_FD, F_GETFD) == -1 || io_write_all(PENDING_FD, pending.p, pending.n) == -1)
		tool_die(ME, EXIT_TEMPORARY, "unable to write fd 5: %s", errno_text(errno));
	pairing_free(s.pairing);
	buf_free(&s.line);
	buf_free(&pending);
	return code;
}

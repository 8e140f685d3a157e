/*
 * tai64nlocal: turns TAI64N labels at the start of lines into local time
 * (contract-companions §2.4). A line without a label, or with one that is
 * none, passes as it is.
 */
#include "base/tai64n.h"
#include "linelog/linefilter.h"
#include "linelog/localstamp.h"

struct state {
	struct localstamp stamp;
	bool holding;    /* a line may begin with a label that is not all there */
	struct buf held; /* of it */
};

static void release(struct state *s, struct buf *out)
{
	struct tai64n t;

	s->holding = false;
	if (tai64n_scan(buf_str(&s->held), &t) && localstamp_add(&s->stamp, out, tai64n_unix(t))) {
		buf_addf(out, ".%09u", t.nanoseconds);
		buf_add(out, str_from(buf_str(&s->held), TAI64N_LABEL));
	} else {
		buf_add(out, buf_str(&s->held));
	}
	buf_clear(&s->held);
}

static void translate(void *ctx, struct buf *out, struct str piece, bool first)
{
	struct state *s = ctx;
	size_t taken;

	if (first)
		s->holding = piece.p[0] == '@';
	if (!s->holding) {
		buf_add(out, piece);
		return;
	}
	taken = str_head(piece, TAI64N_LABEL - s->held.n).n;
	buf_add(&s->held, str_head(piece, taken));
	if (s->held.n == TAI64N_LABEL || piece.p[piece.n - 1] == '\n')
		release(s, out);
	buf_add(out, str_from(piece, taken));
}

static void end(void *ctx, struct buf *out)
{
	release(ctx, out);
}

int main(void)
{
	struct state s = { .held = BUF_INIT(TAI64N_LABEL) };
	const struct linefilter filter = { .piece = translate, .end = end, .ctx = &s };
	int code;

	code = linefilter_run("tai64nlocal", &filter);
	buf_free(&s.held);
	return code;
}

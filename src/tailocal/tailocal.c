/*
 * tailocal: turns the seconds since 1970 at the start of each line into local
 * time (contract-companions §2.1). A line without digits gets the epoch.
 */
#include "linelog/linefilter.h"
#include "linelog/localstamp.h"

#define DIGITS_MAX 19 /* more is no time; it passes as it is */

struct state {
	struct localstamp stamp;
	bool holding;
	struct buf digits;
};

static void release(struct state *s, struct buf *out)
{
	uint64_t second = 0;

	s->holding = false;
	if ((s->digits.n && !str_to_u64(buf_str(&s->digits), &second)) || second > INT64_MAX ||
	    !localstamp_add(&s->stamp, out, (int64_t)second))
		buf_add(out, buf_str(&s->digits));
	buf_clear(&s->digits);
}

static void translate(void *ctx, struct buf *out, struct str piece, bool first)
{
	struct state *s = ctx;
	size_t n = 0;

	s->holding |= first;
	if (s->holding) {
		while (n < piece.n && chr_digit(piece.p[n]) && s->digits.n < DIGITS_MAX)
			buf_addc(&s->digits, piece.p[n++]);
		if (n < piece.n)
			release(s, out);
	}
	buf_add(out, str_from(piece, n));
}

static void end(void *ctx, struct buf *out)
{
	struct state *s = ctx;

	if (s->holding && s->digits.n)
		release(s, out);
}

int main(void)
{
	struct state s = { .digits = BUF_INIT(DIGITS_MAX) };
	const struct linefilter filter = { .piece = translate, .end = end, .ctx = &s };
	int code;

	code = linefilter_run("tailocal", &filter);
	buf_free(&s.digits);
	return code;
}

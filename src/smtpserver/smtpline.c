#include "smtpserver/smtpline.h"

bool smtpline_begun(const struct smtpline *l)
{
	return l->partial.n || l->skipped;
}

static void reset(struct smtpline *l)
{
	buf_clear(&l->partial);
	l->skipped = 0;
	l->last = 0;
}

/* Keeps a piece of an unfinished line, or counts it when the line is already too long. */
static void keep(struct smtpline *l, struct str piece)
{
	if (piece.n == 0)
		return;
	l->last = piece.p[piece.n - 1];
	if (l->skipped == 0) {
		buf_add(&l->partial, piece);
		if (buf_ok(&l->partial))
			return;
		l->skipped = l->partial.n;
		buf_clear(&l->partial);
	}
	l->skipped += piece.n;
}

static enum smtpline_result finish(struct smtpline *l, struct str last_piece, struct str *line)
{
	if (!smtpline_begun(l)) {
		*line = str_head(last_piece, last_piece.n - 2);
		return last_piece.n <= SMTPLINE_MAX ? SMTPLINE_READY : SMTPLINE_LONG;
	}
	keep(l, last_piece);
	if (l->skipped) {
		reset(l);
		return SMTPLINE_LONG;
	}
	*line = str_head(buf_str(&l->partial), l->partial.n - 2);
	/* The bytes stay where they are until the next line begins. */
	buf_clear(&l->partial);
	l->last = 0;
	return SMTPLINE_READY;
}

enum smtpline_result smtpline_next(struct smtpline *l, struct str *input, struct str *line)
{
	size_t lf = str_chr(*input, '\n');
	struct str piece = str_head(*input, lf + 1);
	char before;

	*input = str_from(*input, piece.n);
	if (lf == piece.n) {
		keep(l, piece);
		return l->skipped > SMTPLINE_SKIP ? SMTPLINE_ENDLESS : SMTPLINE_MORE;
	}
	before = lf ? piece.p[lf - 1] : l->last;
	if (before != '\r')
		return SMTPLINE_BARE_LF;
	return finish(l, piece, line);
}

void smtpline_free(struct smtpline *l)
{
	buf_free(&l->partial);
	reset(l);
}

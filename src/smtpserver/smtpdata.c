#include "smtpserver/smtpdata.h"

/*
 * Within a line: everything up to the next LF at once. Each call is at a place whose previous byte is not CR, so
 * an LF right here is bare.
 */
static enum smtpdata_state text(struct str *input, struct buf *out)
{
	size_t lf = str_chr(*input, '\n');
	struct str piece = str_head(*input, lf);
	bool cr = piece.n && piece.p[piece.n - 1] == '\r';

	if (cr)
		piece.n--;
	buf_add(out, piece);
	if (lf == input->n) {
		*input = str_from(*input, lf);
		return cr ? SMTPDATA_CR : SMTPDATA_TEXT;
	}
	*input = str_from(*input, lf + 1);
	if (!cr)
		return SMTPDATA_BARE_LF;
	buf_addc(out, '\n');
	return SMTPDATA_LINE_START;
}

/* After CR, with or without a dot before it: LF gives `then`; otherwise the CR was content. */
static enum smtpdata_state after_cr(struct str *input, struct buf *out, enum smtpdata_state then)
{
	if (*input->p != '\n') {
		buf_addc(out, '\r');
		return SMTPDATA_TEXT;
	}
	*input = str_from(*input, 1);
	if (then == SMTPDATA_LINE_START)
		buf_addc(out, '\n');
	return then;
}

/* Takes c if it comes next. */
static bool take(struct str *input, char c)
{
	if (*input->p != c)
		return false;
	*input = str_from(*input, 1);
	return true;
}

enum smtpdata_state smtpdata_decode(enum smtpdata_state state, struct str *input, struct buf *out)
{
	while (input->n && state != SMTPDATA_END && state != SMTPDATA_BARE_LF) {
		switch (state) {
		case SMTPDATA_LINE_START:
			state = take(input, '.') ? SMTPDATA_DOT : SMTPDATA_TEXT;
			break;
		case SMTPDATA_DOT:
			state = take(input, '\r') ? SMTPDATA_DOT_CR : SMTPDATA_TEXT;
			break;
		case SMTPDATA_DOT_CR:
			state = after_cr(input, out, SMTPDATA_END);
			break;
		case SMTPDATA_CR:
			state = after_cr(input, out, SMTPDATA_LINE_START);
			break;
		default:
			state = text(input, out);
			break;
		}
	}
	return state;
}

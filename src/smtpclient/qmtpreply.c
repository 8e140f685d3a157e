#include "smtpclient/qmtpreply.h"

static bool take_length(struct qmtpreply *r, char c)
{
	if (c == ':') {
		r->in_text = true;
		return r->digits > 0 && r->left > 0;
	}
	/* No leading zeros: a netstring has one form. */
	if (!chr_digit(c) || (r->digits > 0 && r->left == 0))
		return false;
	r->digits++;
	r->left = 10 * r->left + (size_t)(c - '0');
	return r->left <= QMTPREPLY_BYTES_MAX;
}

static bool take_text(struct qmtpreply *r, char c, struct buf *text)
{
	if (r->left == 0) {
		r->complete = true;
		return c == ',';
	}
	r->left--;
	if (!r->letter_seen) {
		r->letter_seen = true;
		r->letter = c;
		return c == 'K' || c == 'Z' || c == 'D';
	}
	if (text->n < QMTPREPLY_KEEP)
		buf_addc(text, c != '\n' && c != '\t' && ((unsigned char)c < 32 || c == 127) ? '?' : c);
	return true;
}

enum qmtpreply_state qmtpreply_feed(struct qmtpreply *r, struct str *input, struct buf *text)
{
	if (r->complete || r->digits == 0) {
		*r = (struct qmtpreply){ 0 };
		buf_clear(text);
	}
	while (input->n) {
		char c = *input->p;

		*input = str_from(*input, 1);
		if (!(r->in_text ? take_text(r, c, text) : take_length(r, c)))
			return QMTPREPLY_BAD;
		if (r->complete)
			return QMTPREPLY_COMPLETE;
	}
	return QMTPREPLY_MORE;
}

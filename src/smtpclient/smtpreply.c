#include "smtpclient/smtpreply.h"

void smtpreply_init(struct smtpreply *r)
{
	*r = (struct smtpreply){ .text = BUF_INIT(SMTPREPLY_KEEP) };
}

void smtpreply_free(struct smtpreply *r)
{
	buf_free(&r->text);
}

static void begin(struct smtpreply *r)
{
	struct buf text = r->text;

	buf_clear(&text);
	*r = (struct smtpreply){ .text = text };
}

static void keep_byte(struct smtpreply *r, char c)
{
	if (r->text.n == r->text.limit)
		return;
	if (c != '\n' && c != '\t' && ((unsigned char)c < 32 || c == 127))
		c = '?';
	buf_addc(&r->text, c);
}

/* The end of a line; false: what it was is no reply line. */
static bool end_line(struct smtpreply *r)
{
	if (r->column < 3)
		return false;
	if (r->lines && r->line_code != r->code)
		return false;
	r->code = r->line_code;
	r->lines = true;
	r->complete = r->column == 3 || r->last;
	r->column = 0;
	r->line_code = 0;
	r->last = false;
	return true;
}

static bool take_byte(struct smtpreply *r, char c)
{
	if (c == '\r')
		return true;
	keep_byte(r, c);
	if (c == '\n')
		return end_line(r);
	if (r->column < 3) {
		if (!chr_digit(c) || (r->column == 0 && (c < '2' || c > '5')))
			return false;
		r->line_code = 10 * r->line_code + (c - '0');
	} else if (r->column == 3) {
		if (c != ' ' && c != '-')
			return false;
		r->last = c == ' ';
	}
	r->column++;
	return true;
}

enum smtpreply_state smtpreply_feed(struct smtpreply *r, struct str *input)
{
	if (r->complete)
		begin(r);
	while (input->n) {
		char c = *input->p;

		*input = str_from(*input, 1);
		if (++r->bytes > SMTPREPLY_BYTES_MAX || !take_byte(r, c)) {
			if (r->text.n && r->text.p[r->text.n - 1] != '\n')
				keep_byte(r, '\n');
			return SMTPREPLY_BAD;
		}
		if (r->complete) {
			/* A text that was cut ends its line all the same. */
			if (r->text.p[r->text.n - 1] != '\n')
				r->text.p[r->text.n - 1] = '\n';
			return SMTPREPLY_COMPLETE;
		}
	}
	return SMTPREPLY_MORE;
}

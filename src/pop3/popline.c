#include "pop3/popline.h"

static void keep(struct popline *l, struct str piece)
{
	if (l->too_long || piece.n > POPLINE_MAX - l->n) {
		l->too_long = true;
		return;
	}
	memcpy(l->text + l->n, piece.p, piece.n);
	l->n += piece.n;
}

bool popline_next(struct popline *l, struct str *input, struct str *line)
{
	size_t end = str_chr(*input, '\n');

	keep(l, str_head(*input, end));
	if (end == input->n) {
		*input = STR("");
		return false;
	}
	*input = str_from(*input, end + 1);
	*line = (struct str){ l->text, l->too_long ? 0 : l->n };
	if (line->n && line->p[line->n - 1] == '\r')
		line->n--;
	l->n = 0;
	l->too_long = false;
	return true;
}

struct popcommand popcommand_parse(struct str line)
{
	struct popcommand c;

	str_cut(line, ' ', &c.verb, &c.argument);
	while (c.argument.n && c.argument.p[0] == ' ')
		c.argument = str_from(c.argument, 1);
	return c;
}

bool popcommand_is(const struct popcommand *c, const char *verb)
{
	return str_ieq(c->verb, str_of(verb));
}

bool popcommand_number(struct str *argument, uint64_t *v)
{
	size_t n = 0;

	while (n < argument->n && chr_digit(argument->p[n]))
		n++;
	if (n == 0 || !str_to_u64(str_head(*argument, n), v))
		return false;
	*argument = str_trim_start(str_from(*argument, n));
	return true;
}

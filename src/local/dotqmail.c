#include "local/dotqmail.h"

static struct str trim_end(struct str s)
{
	while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t' || s.p[s.n - 1] == '\r'))
		s.n--;
	return s;
}

/* A line that is neither blank, comment nor '+' line. */
static struct dotqmail_line instruction(struct str line, bool forward_only)
{
	struct dotqmail_line l = { DOTQMAIL_FORWARD, line, false };

	switch (*line.p) {
	case '|':
		l.kind = DOTQMAIL_PROGRAM;
		l.text = str_from(line, 1);
		break;
	case '/':
	case '.':
		l.kind = line.p[line.n - 1] == '/' ? DOTQMAIL_MAILDIR : DOTQMAIL_MBOX;
		break;
	case '&':
		l.text = str_from(line, 1);
		break;
	}
	l.forbidden = forward_only && l.kind != DOTQMAIL_FORWARD;
	/* No path, command or address has one; C strings would silently end there. */
	if (str_chr(line, 0) < line.n)
		l.kind = DOTQMAIL_NUL;
	return l;
}

struct dotqmail_line dotqmail_next(struct dotqmail *d)
{
	struct str line = STR("");

	/* Empty content counts as one blank line. */
	while (str_next_line(&d->rest, &line) || d->first) {
		bool first = d->first;

		d->first = false;
		line = trim_end(line);
		if (line.n == 0 && first)
			return (struct dotqmail_line){ .kind = DOTQMAIL_BLANK_FIRST, .text = line };
		if (line.n == 0 || *line.p == '#')
			continue;
		if (*line.p == '+') {
			d->forward_only = d->forward_only || str_eq(line, STR("+list"));
			continue;
		}
		return instruction(line, d->forward_only);
	}
	return (struct dotqmail_line){ .kind = DOTQMAIL_END, .text = STR("") };
}

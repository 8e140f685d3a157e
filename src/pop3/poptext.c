#include "pop3/poptext.h"

struct poptext poptext_all(void)
{
	return (struct poptext){ .last = '\n' };
}

struct poptext poptext_top(uint64_t lines)
{
	return (struct poptext){ .limited = true, .lines = lines, .last = '\n' };
}

static void add_line_end(struct poptext *t, struct buf *out)
{
	bool empty = !t->inside;

	buf_addz(out, "\r\n");
	t->inside = false;
	if (t->body && t->limited)
		t->lines--;
	if (empty)
		t->body = true;
	t->ended = t->limited && t->body && t->lines == 0;
}

/* What stands between two line ends, or a part of it. */
static void add_content(struct poptext *t, struct str s, struct buf *out)
{
	if (s.n == 0)
		return;
	if (!t->inside && s.p[0] == '.')
		buf_addc(out, '.');
	buf_add(out, s);
	t->inside = true;
}

/*
 * A CR is held back until it is known what follows: before an LF it is part of
 * the line's end.
 */
void poptext_add(struct poptext *t, struct str piece, struct buf *out)
{
	while (piece.n && !t->ended) {
		size_t end = str_chr(piece, '\n');
		struct str content = str_head(piece, end);
		bool cr = content.n && content.p[content.n - 1] == '\r';

		if (t->last == '\r' && end > 0)
			add_content(t, STR("\r"), out);
		add_content(t, str_head(content, content.n - (cr ? 1 : 0)), out);
		t->last = content.n ? content.p[content.n - 1] : t->last;
		if (end == piece.n)
			return;
		add_line_end(t, out);
		t->last = '\n';
		piece = str_from(piece, end + 1);
	}
}

void poptext_end(struct poptext *t, struct buf *out)
{
	if (!t->ended && t->last == '\r')
		add_content(t, STR("\r"), out);
	if (!t->ended && t->inside)
		buf_addz(out, "\r\n");
	buf_addz(out, ".\r\n");
	t->ended = true;
}

void popsize_add(struct popsize *s, struct str piece)
{
	const char *end = piece.p + piece.n;

	if (piece.n == 0)
		return;
	for (const char *p = piece.p; (p = memchr(p, '\n', (size_t)(end - p))) != NULL; p++)
		s->bytes += (p > piece.p ? p[-1] : s->last) != '\r';
	s->bytes += piece.n;
	s->last = end[-1];
}

uint64_t popsize_end(const struct popsize *s)
{
	return s->bytes + (s->bytes && s->last != '\n' ? 2 : 0);
}

#include "users/assign.h"

#define FIELDS 6

/* The length of six fields, each ended by a colon, without the last colon; s.n when one is missing. */
static size_t six_fields(struct str s)
{
	size_t end = 0;

	for (int i = 0; i < FIELDS; i++) {
		size_t colon = str_chr(str_from(s, end), ':');

		if (end + colon >= s.n)
			return s.n;
		end += colon + 1;
	}
	return end - 1;
}

enum assign_result assign_next(struct str *rest, struct assign_line *line)
{
	size_t end = str_chr(*rest, '\n'), colon;
	struct str text = str_head(*rest, end), tail;

	if (rest->n && *rest->p == '.')
		return ASSIGN_END;
	if (end == rest->n || str_chr(text, 0) < text.n)
		return ASSIGN_BAD;
	*rest = str_from(*rest, end + 1);
	colon = str_chr(text, ':');
	if (colon == text.n || colon == 0)
		return ASSIGN_BAD;
	tail = str_from(text, colon + 1);
	line->wildcard = *text.p == '+';
	line->name = str_head(str_from(text, 1), colon - 1);
	line->data = str_head(tail, six_fields(tail));
	return line->data.n < tail.n ? ASSIGN_LINE : ASSIGN_BAD;
}

void assign_record(const struct assign_line *line, struct buf *key, struct buf *value)
{
	buf_addc(key, '!');
	buf_add_lower(key, line->name);
	if (!line->wildcard)
		buf_addc(key, 0);
	for (size_t i = 0; i < line->data.n; i++)
		buf_addc(value, line->data.p[i] == ':' ? 0 : line->data.p[i]);
}

#include "serial/serialreport.h"

void serialreport_add(struct buf *out, struct str name, char letter, struct str text)
{
	text = str_head(text, SERIALREPORT_TEXT);
	buf_add(out, name);
	buf_addc(out, 0);
	buf_addc(out, letter);
	for (size_t i = 0; i < text.n; i++)
		buf_addc(out, text.p[i] < 32 || text.p[i] > 126 ? '?' : text.p[i]);
	buf_addc(out, '\n');
}

enum serialreport serialreport_take(struct str *bytes, struct str *name, char *letter, struct str *text)
{
	struct str rest, after;

	if (!str_cut(*bytes, 0, name, &rest) || str_chr(rest, '\n') == rest.n)
		return bytes->n > SERIALREPORT_MAX ? SERIALREPORT_BAD : SERIALREPORT_MORE;
	str_cut(rest, '\n', text, &after);
	*bytes = after;
	if (text->n == 0 || strchr("KDZ", *text->p) == NULL || *text->p == 0)
		return SERIALREPORT_BAD;
	*letter = *text->p;
	*text = str_from(*text, 1);
	return SERIALREPORT_ONE;
}

char serialreport_letter(int code)
{
	return code < 400 ? 'K' : code < 500 ? 'Z' : 'D';
}

#include "mail/header.h"

static bool blank(char c)
{
	return c == ' ' || c == '\t';
}

struct str header_name(struct str line)
{
	size_t colon = str_chr(line, ':'), n = colon;

	if (colon == line.n)
		return STR("");
	while (n && blank(line.p[n - 1]))
		n--;
	for (size_t i = 0; i < n; i++)
		if (line.p[i] < 33 || line.p[i] > 126)
			return STR("");
	return str_head(line, n);
}

struct str header_body(struct str field)
{
	return str_from(field, str_chr(field, ':') + 1);
}

/* The kind of the line [0, n) of data, which begins an item. */
static enum header_item classify(struct str line)
{
	if (str_eq(line, STR("\n")))
		return HEADER_BLANK;
	if (str_starts(line, STR("From ")) && header_name(line).n == 0)
		return HEADER_MBOX_LINE;
	return header_name(line).n ? HEADER_FIELD : HEADER_BODY;
}

static enum header_item take(struct header_scan *scan, struct str *data, size_t n, struct str *item)
{
	enum header_item kind = classify(str_head(*data, str_chr(*data, '\n') + 1));

	*item = str_head(*data, n);
	*data = str_from(*data, n);
	*scan = (struct header_scan){ 0 };
	return kind;
}

enum header_item header_take(struct header_scan *scan, struct str *data, bool at_end, struct str *item)
{
	if (at_end && data->n == 0)
		return HEADER_EOF;
	for (;;) {
		size_t lf = scan->searched + str_chr(str_from(*data, scan->searched), '\n');
		size_t end = lf + 1;

		scan->searched = lf;
		if (lf == data->n) {
			if (!at_end)
				return HEADER_MORE;
			end = lf;
		}
		if (!scan->continues) {
			enum header_item kind = classify(str_head(*data, end));

			if (kind == HEADER_BODY)
				return kind;
			if (kind == HEADER_BLANK)
				return take(scan, data, end, item);
			scan->continues = true;
		}
		if (end == data->n && !at_end)
			return HEADER_MORE;
		if (end == data->n || !blank(data->p[end]))
			return take(scan, data, end, item);
		scan->searched = end;
	}
}

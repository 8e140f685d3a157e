#include "mailbox/glance.h"

#include "mail/header.h"

void glance_add(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		buf_addc(out, s.p[i] >= 32 && s.p[i] <= 126 ? s.p[i] : '?');
}

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Appends s with runs of blanks as one space, until `limit` bytes are there. */
static void add_words(struct buf *out, struct str s, size_t limit)
{
	size_t start = out->n;
	bool gap = false;

	for (size_t i = 0; i < s.n && out->n < limit; i++) {
		if (blank(s.p[i])) {
			gap = true;
			continue;
		}
		if (gap && out->n > start && out->n + 1 < limit)
			buf_addc(out, ' ');
		gap = false;
		glance_add(out, str_from(str_head(s, i + 1), i));
	}
}

/* The first field of this name, or an empty view; *body is what follows the header. */
static struct str find_field(struct str start, struct str name, struct str *body)
{
	struct header_scan scan = { 0 };
	struct str item, found = STR("");
	enum header_item kind;

	while ((kind = header_take(&scan, &start, true, &item)) == HEADER_FIELD || kind == HEADER_MBOX_LINE)
		if (kind == HEADER_FIELD && found.n == 0 && str_ieq(header_name(item), name))
			found = item;
	*body = start;
	return header_body(found);
}

void glance_text(struct buf *out, struct str start)
{
	struct str body, subject = find_field(start, STR("Subject"), &body);
	struct buf line = BUF_INIT(2 * GLANCE_WIDTH);

	add_words(&line, subject, GLANCE_WIDTH);
	if (line.n && line.n < GLANCE_WIDTH)
		buf_addc(&line, ' ');
	add_words(&line, body, GLANCE_WIDTH);
	buf_add(out, str_trim_end(buf_str(&line)));
	buf_free(&line);
}

void glance_field(struct buf *out, struct str start, struct str name)
{
	struct str body;

	add_words(out, find_field(start, name, &body), out->n + 1000);
}

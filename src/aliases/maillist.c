#include "aliases/maillist.h"

static bool is_path(struct str item)
{
	return str_starts(item, STR("/")) || str_starts(item, STR("."));
}

static void add_string(struct buf *out, struct str s)
{
	buf_add(out, s);
	buf_addc(out, 0);
}

bool maillist_compile(struct str text, struct buf *out, struct err *e)
{
	struct str line;
	bool ok = true;

	while (ok && str_next_line(&text, &line)) {
		line = str_trim_end(line);
		if (line.n == 0 || *line.p == '#')
			continue;
		if (str_chr(line, 0) < line.n)
			ok = err_perm(e, "NUL bytes are not permitted");
		else if (is_path(line))
			add_string(out, line);
		else
			ok = alias_add_address(out, *line.p == '&' ? str_from(line, 1) : line, e);
	}
	return ok;
}

enum maillist_result maillist_next(struct str *rest, struct str *item)
{
	if (rest->n == 0)
		return MAILLIST_END;
	if (!alias_next(rest, item))
		return MAILLIST_BAD;
	return str_starts(*item, STR("&")) || is_path(*item) ? MAILLIST_ITEM : MAILLIST_BAD;
}

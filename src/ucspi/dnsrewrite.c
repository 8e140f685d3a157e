#include "ucspi/dnsrewrite.h"

static bool plain(struct str s)
{
	return str_chr(s, '.') == s.n && str_chr(s, '[') == s.n && str_chr(s, ']') == s.n;
}

static void apply_one(char kind, struct str from, struct str to, struct buf *name)
{
	struct str before = buf_str(name);

	if (!str_iends(before, from))
		return;
	before = str_head(before, before.n - from.n);
	if ((kind == '=' && before.n) || (kind == '?' && !plain(before)))
		return;
	buf_truncate(name, kind == '*' || kind == '?' ? before.n : 0);
	buf_add(name, to);
}

void dnsrewrite_apply(struct str instructions, struct buf *name)
{
	struct str line, from, to;

	while (str_next_line(&instructions, &line)) {
		line = str_trim_end(line);
		if (line.n == 0 || strchr("=*?-", *line.p) == NULL || *line.p == 0)
			continue;
		if (str_cut(str_from(line, 1), ':', &from, &to))
			apply_one(*line.p, from, to, name);
	}
}

/* ":+.a+.b" from "a b"; false when there is no word. */
static bool add_domains(struct str words, struct buf *out)
{
	bool any = false;

	for (size_t at = 0; at < words.n;) {
		struct str rest = str_from(words, at);
		size_t n = 0;

		while (n < rest.n && strchr(" \t\r", rest.p[n]) == NULL)
			n++;
		if (n) {
			buf_addz(out, any ? "+." : "?:+.");
			buf_add(out, str_head(rest, n));
			any = true;
		}
		at += n + 1;
	}
	if (any)
		buf_addc(out, '\n');
	return any;
}

static struct str search_list(struct str resolv_conf)
{
	struct str line, found = STR("");

	while (str_next_line(&resolv_conf, &line)) {
		struct str rest = str_from(line, 6);

		if ((str_starts(line, STR("search")) || str_starts(line, STR("domain"))) && rest.n &&
		    strchr(" \t", *rest.p))
			found = rest;
	}
	return found;
}

void dnsrewrite_default(const char *local, struct str resolv_conf, struct str own_name, struct buf *instructions)
{
	size_t dot = str_chr(own_name, '.');

	if (local)
		add_domains(str_of(local), instructions);
	else if (!add_domains(search_list(resolv_conf), instructions) && dot + 1 < own_name.n)
		add_domains(str_from(own_name, dot + 1), instructions);
	buf_addz(instructions, "*.:\n");
}

bool dnsrewrite_next(struct str rewritten, size_t *at, struct buf *name)
{
	size_t stem = str_chr(rewritten, '+');
	struct str rest = str_from(rewritten, *at > stem ? *at : stem);
	size_t n;

	buf_clear(name);
	if (*at > rewritten.n)
		return false;
	buf_add(name, str_head(rewritten, stem));
	if (rest.n == 0) {
		/* No alternatives at all, or behind the last one. */
		bool only = *at == 0;

		*at = rewritten.n + 1;
		return only;
	}
	rest = str_from(rest, 1);
	n = str_chr(rest, '+');
	buf_add(name, str_head(rest, n));
	*at = (size_t)(rest.p + n - rewritten.p);
	return true;
}

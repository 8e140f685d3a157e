#include "upgrade/scriptwords.h"

static char peek(const struct scriptwords *w)
{
	return w->rest.n ? *w->rest.p : '\0';
}

static void drop(struct scriptwords *w, size_t n)
{
	w->rest = str_from(w->rest, n);
}

static void keep(struct scriptwords *w, struct str s)
{
	if (w->word.n < SCRIPTWORDS_MAX)
		buf_add(&w->word, str_head(s, SCRIPTWORDS_MAX - w->word.n));
}

/* Up to the closing quote, or the end. */
static void quoted(struct scriptwords *w, char quote)
{
	size_t end;

	drop(w, 1);
	end = str_chr(w->rest, quote);
	keep(w, str_head(w->rest, end));
	drop(w, end + 1);
}

static bool separates(char c)
{
	return c == '\n' || c == ';' || c == '|' || c == '&' || c == '(' || c == ')' || c == '`';
}

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\0';
}

static bool continued(const struct scriptwords *w)
{
	return w->rest.n >= 2 && w->rest.p[0] == '\\' && w->rest.p[1] == '\n';
}

/* To the beginning of the next word. False: there is none. */
static bool skip(struct scriptwords *w)
{
	while (w->rest.n) {
		char c = peek(w);

		if (continued(w))
			drop(w, 2);
		else if (c == '#')
			drop(w, str_chr(w->rest, '\n'));
		else if (separates(c) || blank(c)) {
			w->begin |= separates(c);
			drop(w, 1);
		} else
			return true;
	}
	return false;
}

static void take(struct scriptwords *w)
{
	/* "2>&1": the & of a redirection ends nothing. */
	bool redirects = false;

	while (w->rest.n && !blank(peek(w)) && !continued(w) &&
	       (!separates(peek(w)) || (peek(w) == '&' && redirects))) {
		char c = peek(w);

		redirects = c == '>' || c == '<';
		if (c == '\'' || c == '"') {
			quoted(w, c);
			continue;
		}
		if (c == '\\')
			drop(w, 1);
		keep(w, str_head(w->rest, 1));
		drop(w, 1);
	}
}

bool scriptwords_next(struct scriptwords *w, struct str *word, bool *first)
{
	buf_clear(&w->word);
	if (!skip(w)) {
		buf_free(&w->word);
		return false;
	}
	*first = w->begin;
	w->begin = false;
	take(w);
	*word = buf_str(&w->word);
	return true;
}

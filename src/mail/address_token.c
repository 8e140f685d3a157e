#include "mail/address_token.h"

#include <stdlib.h>

#include "base/mem.h"

void tokens_free(struct token_list *list)
{
	free(list->t);
	*list = (struct token_list){ 0 };
}

void tokens_add(struct token_list *list, struct token t)
{
	if (list->n == list->cap) {
		list->cap = list->cap ? list->cap * 2 : 32;
		list->t = mem_array(list->t, list->cap, sizeof *list->t);
	}
	list->t[list->n++] = t;
}

void tokens_add_mark(struct token_list *list, enum token_kind kind)
{
	tokens_add(list, (struct token){ .p = "", .kind = (uint8_t)kind });
}

static bool white(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The kind of a one-byte token, or TOKEN_KINDS. */
static enum token_kind mark(char c)
{
	switch (c) {
	case '<':
		return TOKEN_LEFT;
	case '>':
		return TOKEN_RIGHT;
	case '@':
		return TOKEN_AT;
	case ',':
		return TOKEN_COMMA;
	case ';':
		return TOKEN_SEMICOLON;
	case ':':
		return TOKEN_COLON;
	case '.':
		return TOKEN_DOT;
	default:
		return TOKEN_KINDS;
	}
}

/* Length of the string, literal or comment at the front of s, with both delimiters; 0 when it is not closed. */
static size_t enclosed_length(struct str s, char close)
{
	char open = *s.p;
	size_t depth = 1;

	for (size_t i = 1; i < s.n; i++) {
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == close && --depth == 0)
			return i + 1;
		else if (s.p[i] == '(' && open == '(')
			depth++;
	}
	return 0;
}

/* Length of the atom at the front of s; 0 when it ends in a lone backslash. */
static size_t atom_length(struct str s)
{
	size_t i = 0;

	while (i < s.n && !white(s.p[i]) && mark(s.p[i]) == TOKEN_KINDS && s.p[i] != '(' && s.p[i] != '[' &&
	       s.p[i] != '"') {
		if (s.p[i] == '\\' && ++i == s.n)
			return 0;
		i++;
	}
	return i;
}

/* Reads the token at the front of s, which is not white; its length, or 0 when it is malformed. */
static size_t scan_one(struct str s, struct token *t)
{
	static const struct {
		char open, close;
		enum token_kind kind;
	} pairs[] = { { '"', '"', TOKEN_QUOTED }, { '[', ']', TOKEN_LITERAL }, { '(', ')', TOKEN_COMMENT } };
	enum token_kind kind = mark(*s.p);
	size_t n;

	if (kind != TOKEN_KINDS) {
		*t = (struct token){ .p = "", .kind = (uint8_t)kind };
		return 1;
	}
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		if (*s.p != pairs[i].open)
			continue;
		n = enclosed_length(s, pairs[i].close);
		if (n)
			*t = (struct token){ .p = s.p + 1, .n = (uint32_t)(n - 2), .kind = (uint8_t)pairs[i].kind };
		return n;
	}
	if (*s.p == ')' || *s.p == ']')
		return 0;
	n = atom_length(s);
	*t = (struct token){ .p = s.p, .n = (uint32_t)n, .kind = TOKEN_ATOM };
	return n;
}

bool tokens_scan(struct token_list *list, struct str text)
{
	bool spaced = false;

	if (text.n > INT32_MAX)
		return false;
	while (text.n) {
		struct token t;
		size_t n = 1;

		if (!white(*text.p)) {
			n = scan_one(text, &t);
			if (n == 0)
				return false;
			t.spaced = spaced;
			tokens_add(list, t);
		}
		spaced = white(*text.p);
		text = str_from(text, n);
	}
	return true;
}

/*
 * The next byte that a token's text stands for, from *i on; false at its end.
 * CR and LF are left out even when escaped: they are folding, and a line end
 * inside a token must never reach the output.
 */
static bool next_plain(const struct token *t, size_t *i, char *c)
{
	while (*i < t->n) {
		if (t->p[*i] == '\\' && *i + 1 < t->n)
			++*i;
		*c = t->p[(*i)++];
		if (*c != '\r' && *c != '\n')
			return true;
	}
	return false;
}

static void add_text(struct buf *out, const struct token *t)
{
	size_t i = 0;
	char c;

	if (memchr(t->p, '\\', t->n) == NULL && memchr(t->p, '\n', t->n) == NULL && memchr(t->p, '\r', t->n) == NULL) {
		buf_add(out, (struct str){ t->p, t->n });
		return;
	}
	while (next_plain(t, &i, &c))
		buf_addc(out, c);
}

static void add_mark(struct buf *out, enum token_kind kind)
{
	static const char marks[TOKEN_KINDS] = {
		[TOKEN_LEFT] = '<',      [TOKEN_RIGHT] = '>', [TOKEN_AT] = '@',  [TOKEN_COMMA] = ',',
		[TOKEN_SEMICOLON] = ';', [TOKEN_COLON] = ':', [TOKEN_DOT] = '.',
	};

	buf_addc(out, marks[kind]);
}

void token_add_plain(struct buf *out, const struct token *t)
{
	switch (t->kind) {
	case TOKEN_ATOM:
	case TOKEN_QUOTED:
		add_text(out, t);
		break;
	case TOKEN_LITERAL:
		buf_addc(out, '[');
		add_text(out, t);
		buf_addc(out, ']');
		break;
	case TOKEN_COMMENT:
		break;
	default:
		add_mark(out, t->kind);
	}
}

void tokens_add_plain(struct buf *out, const struct token *t, size_t n)
{
	for (size_t i = 0; i < n; i++)
		token_add_plain(out, &t[i]);
}

/* Atoms that qmail tolerates although they are none are written as strings. */
static bool atom_needs_quotes(const struct token *t)
{
	for (size_t i = 0; i < t->n; i++)
		if ((unsigned char)t->p[i] < 32 || t->p[i] == 127 || t->p[i] == ')' || t->p[i] == ']' ||
		    t->p[i] == '\\')
			return true;
	return false;
}

static void write_escaped(struct buf *out, const struct token *t, char open, char close)
{
	size_t i = 0;
	char c;

	buf_addc(out, open);
	while (next_plain(t, &i, &c)) {
		if (c == open || c == close || c == '\\')
			buf_addc(out, '\\');
		buf_addc(out, c);
	}
	buf_addc(out, close);
}

/* A comment keeps its escapes, so that what is nested in it stays balanced. */
static void write_comment(struct buf *out, const struct token *t)
{
	buf_addc(out, '(');
	for (size_t i = 0; i < t->n; i++) {
		bool escape = t->p[i] == '\\' && i + 1 < t->n;
		char c = t->p[escape ? ++i : i];

		if (c == '\r' || c == '\n')
			continue;
		if (escape)
			buf_addc(out, '\\');
		buf_addc(out, c);
	}
	buf_addc(out, ')');
}

static void write_token(struct buf *out, const struct token *t)
{
	switch (t->kind) {
	case TOKEN_ATOM:
		if (atom_needs_quotes(t))
			write_escaped(out, t, '"', '"');
		else
			buf_add(out, (struct str){ t->p, t->n });
		break;
	case TOKEN_QUOTED:
		write_escaped(out, t, '"', '"');
		break;
	case TOKEN_LITERAL:
		write_escaped(out, t, '[', ']');
		break;
	case TOKEN_COMMENT:
		write_comment(out, t);
		break;
	default:
		add_mark(out, t->kind);
	}
}

static bool is_text(enum token_kind kind)
{
	return kind <= TOKEN_COMMENT;
}

static bool needs_space(enum token_kind before, const struct token *t)
{
	if (before == TOKEN_COLON || before == TOKEN_COMMA || t->kind == TOKEN_LEFT)
		return true;
	return (t->phrase && t->spaced) || (is_text(before) && is_text(t->kind));
}

/* Breaks the line before what was written from `start` on. */
static void insert_fold(struct buf *out, size_t start)
{
	char *room = buf_room(out, 2);

	if (room == NULL)
		return;
	memmove(out->p + start + 2, out->p + start, out->n - start);
	memcpy(out->p + start, "\n ", 2);
	buf_wrote(out, 2);
}

void tokens_write(struct buf *out, const struct token *t, size_t n, size_t column, size_t width)
{
	size_t i = 0;

	while (i < n) {
		size_t start = out->n, from = i, length;

		/* One element, up to and with its comma. */
		do {
			if (i ? needs_space(t[i - 1].kind, &t[i]) : column > 0)
				buf_addc(out, ' ');
			write_token(out, &t[i]);
		} while (t[i++].kind != TOKEN_COMMA && i < n);
		length = out->n - start;
		if (width && from && column + length > width) {
			insert_fold(out, start);
			column = 0;
			length++;
		}
		column += length;
	}
}

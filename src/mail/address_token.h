/*
 * address_token: the words and marks of address header fields.
 *
 * Splits the body of a field such as To into tokens (RFC 822 §3.3) and writes
 * tokens again as a field. Tokens are views of the text they were made from,
 * which must outlive them; escapes stay as written until a token is used.
 * Everything here takes time and memory in proportion to the text, whatever
 * it holds, and nests nothing.
 */
#ifndef MAIL_ADDRESS_TOKEN_H
#define MAIL_ADDRESS_TOKEN_H

#include "base/buf.h"

enum token_kind {
	TOKEN_ATOM,
	TOKEN_QUOTED,  /* "…" */
	TOKEN_LITERAL, /* […] */
	TOKEN_COMMENT, /* (…) with what is nested in it */
	TOKEN_LEFT,    /* < */
	TOKEN_RIGHT,   /* > */
	TOKEN_AT,
	TOKEN_COMMA,
	TOKEN_SEMICOLON,
	TOKEN_COLON,
	TOKEN_DOT,
	TOKEN_KINDS
};

struct token {
	const char *p; /* text of the first four kinds, without delimiters */
	uint32_t n;
	uint8_t kind;
	bool spaced; /* white space stood before it */
	bool phrase; /* part of a display name: `spaced` is honoured when it is written */
};

struct token_list {
	struct token *t; /* owned */
	size_t n, cap;
};

void tokens_free(struct token_list *list);
void tokens_add(struct token_list *list, struct token t);
/* A token without text, such as a comma. */
void tokens_add_mark(struct token_list *list, enum token_kind kind);

/*
 * Appends the tokens of text. False when it is malformed (an unclosed string,
 * literal or comment, a stray ')' or ']', a backslash at the end) or longer
 * than 2 GiB; the list then holds an arbitrary part.
 */
bool tokens_scan(struct token_list *list, struct str text);

/* Appends a token's meaning: escapes and line ends removed. Nothing for comments, brackets for literals. */
void token_add_plain(struct buf *out, const struct token *t);
/* The same for all n tokens: an envelope address. */
void tokens_add_plain(struct buf *out, const struct token *t, size_t n);

/*
 * Writes tokens in their canonical form. `column` bytes stand on the line
 * already; when it is not 0 they end in a colon and a space follows. With
 * `width`, lines are folded after commas (LF, two spaces) so that they have
 * at most that many bytes where the commas allow it. No final LF.
 */
void tokens_write(struct buf *out, const struct token *t, size_t n, size_t column, size_t width);

#endif

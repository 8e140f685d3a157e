#include "mail/address_list.h"

struct parser {
	const struct token *t; /* tokens [0, left) are still to be read */
	size_t left;
	struct token_list *out;    /* backwards */
	struct token_list address; /* backwards: the one being read */
	bool in_group;
	bool word_ok;  /* the next word belongs to the current address */
	bool complete; /* an address or group stands to the right, with no comma between */
	address_visitor *visit;
	void *ctx;
};

static void reverse(struct token_list *list)
{
	for (size_t i = 0, j = list->n; i + 1 < j; i++) {
		struct token t = list->t[i];

		list->t[i] = list->t[--j];
		list->t[j] = t;
	}
}

static struct token last(const struct parser *p)
{
	return p->t[p->left - 1];
}

static void pass(struct parser *p)
{
	tokens_add(p->out, p->t[--p->left]);
}

/* The current address, even an empty one, is complete. */
static void finish_address(struct parser *p)
{
	reverse(&p->address);
	p->visit(p->ctx, &p->address);
	while (p->address.n)
		tokens_add(p->out, p->address.t[--p->address.n]);
	p->complete = true;
}

static void flush(struct parser *p)
{
	if (p->address.n)
		finish_address(p);
}

/* Something begins to the left of what is complete: a comma must stand between. */
static void separate(struct parser *p)
{
	flush(p);
	if (p->complete)
		tokens_add_mark(p->out, TOKEN_COMMA);
	p->complete = false;
}

/* A display name or group name: everything that can stand in one. */
static void pass_phrase(struct parser *p)
{
	while (p->left) {
		enum token_kind kind = last(p).kind;

		if (kind != TOKEN_ATOM && kind != TOKEN_QUOTED && kind != TOKEN_COMMENT && kind != TOKEN_AT &&
		    kind != TOKEN_DOT)
			break;
		pass(p);
		p->out->t[p->out->n - 1].phrase = true;
	}
}

static bool angle(struct parser *p)
{
	separate(p);
	pass(p);
	while (p->left && last(p).kind != TOKEN_LEFT && last(p).kind != TOKEN_RIGHT) {
		if (last(p).kind == TOKEN_COMMENT)
			pass(p);
		else
			tokens_add(&p->address, p->t[--p->left]);
	}
	if (p->left == 0 || last(p).kind == TOKEN_RIGHT)
		return false;
	finish_address(p);
	pass(p);
	pass_phrase(p);
	p->word_ok = false;
	return true;
}

static bool group_end(struct parser *p)
{
	if (p->in_group)
		return false;
	separate(p);
	p->in_group = true;
	p->word_ok = true;
	pass(p);
	return true;
}

static bool group_start(struct parser *p)
{
	if (!p->in_group)
		return false;
	flush(p);
	p->in_group = false;
	p->word_ok = true;
	pass(p);
	pass_phrase(p);
	p->complete = true;
	return true;
}

static bool step(struct parser *p)
{
	switch (last(p).kind) {
	case TOKEN_SEMICOLON:
		return group_end(p);
	case TOKEN_COLON:
		return group_start(p);
	case TOKEN_RIGHT:
		return angle(p);
	case TOKEN_LEFT:
		return false;
	case TOKEN_COMMENT:
		/* As good as a space. */
		pass(p);
		return true;
	case TOKEN_COMMA:
		flush(p);
		pass(p);
		p->complete = false;
		p->word_ok = true;
		return true;
	case TOKEN_ATOM:
	case TOKEN_QUOTED:
	case TOKEN_LITERAL:
		if (!p->word_ok)
			flush(p);
		p->word_ok = false;
		break;
	default:
		p->word_ok = true;
	}
	if (p->address.n == 0)
		separate(p);
	tokens_add(&p->address, p->t[--p->left]);
	return true;
}

bool address_list_parse(const struct token_list *in, struct token_list *out, address_visitor *visit, void *ctx)
{
	struct parser p = { .t = in->t, .left = in->n, .out = out, .word_ok = true, .visit = visit, .ctx = ctx };
	bool ok = true;

	out->n = 0;
	while (ok && p.left)
		ok = step(&p);
	if (ok)
		flush(&p);
	reverse(out);
	tokens_free(&p.address);
	return ok;
}

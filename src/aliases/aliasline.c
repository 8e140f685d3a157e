#include "aliases/aliasline.h"

#include <stdlib.h>

#include "base/mem.h"
#include "mail/address_list.h"

#define INCLUDE STR(":include:")
#define SHOWN 200 /* bytes of a bad line in a message */

void alias_items_free(struct alias_items *items)
{
	for (size_t i = 0; i < items->n; i++)
		buf_free(&items->item[i].memory);
	free(items->item);
	*items = (struct alias_items){ 0 };
}

static bool is_kind(const struct token_list *t, size_t i, enum token_kind kind)
{
	return i < t->n && t->t[i].kind == kind;
}

/* Do three tokens from i on read ":include:"? */
static bool include_at(const struct token_list *t, size_t i)
{
	return is_kind(t, i, TOKEN_COLON) && is_kind(t, i + 1, TOKEN_ATOM) && is_kind(t, i + 2, TOKEN_COLON) &&
	       !t->t[i + 1].spaced && !t->t[i + 2].spaced &&
	       str_ieq((struct str){ t->t[i + 1].p, t->t[i + 1].n }, STR("include"));
}

/* Can it be part of an unquoted path? Its length in the line, or 0. */
static size_t path_part(const struct token *t)
{
	switch (t->kind) {
	case TOKEN_ATOM:
		return t->n;
	case TOKEN_DOT:
	case TOKEN_AT:
		return 1;
	}
	return 0;
}

/* Makes one atom of ":include:" and the path behind it; the tokens stand in the line without gaps. */
static size_t merge_include(const struct token_list *t, size_t i, struct token *merged)
{
	size_t length = INCLUDE.n, k = i + 3;

	while (k < t->n && !t->t[k].spaced && path_part(&t->t[k]))
		length += path_part(&t->t[k++]);
	*merged = (struct token){ .p = t->t[i + 1].p - 1, .n = (uint32_t)length, .kind = TOKEN_ATOM };
	return k;
}

/* Marks that separate items become commas; those within angle brackets are part of an address. */
static void add_separated(struct token_list *out, struct token t, bool *in_angle)
{
	if (t.kind == TOKEN_LEFT)
		*in_angle = true;
	else if (t.kind == TOKEN_RIGHT)
		*in_angle = false;
	if (!*in_angle && (t.kind == TOKEN_COLON || t.kind == TOKEN_SEMICOLON))
		t.kind = TOKEN_COMMA;
	tokens_add(out, t);
}

static void prepare(const struct token_list *in, bool includes, struct token_list *out)
{
	bool in_angle = false;
	size_t i = 0;

	while (i < in->n) {
		struct token t = in->t[i];

		if (includes && !in_angle && include_at(in, i)) {
			i = merge_include(in, i, &t);
			tokens_add_mark(out, TOKEN_COMMA);
		} else {
			i++;
		}
		add_separated(out, t, &in_angle);
	}
}

struct visit {
	const struct rewrite_rules *rules;
	struct alias_items *items;
	bool includes;
};

static enum alias_kind kind_of(struct str plain, bool has_host, bool includes)
{
	if (has_host || plain.n == 0)
		return ALIAS_ADDRESS;
	if (*plain.p == '|')
		return ALIAS_PROGRAM;
	if (*plain.p == '/')
		return ALIAS_FILE;
	return includes && str_istarts(plain, INCLUDE) ? ALIAS_INCLUDE : ALIAS_ADDRESS;
}

static void fill(struct alias_item *item, struct token_list *address, const struct visit *v)
{
	size_t end;

	for (size_t i = 0; i < address->n; i++)
		item->has_host |= address->t[i].kind == TOKEN_AT;
	tokens_add_plain(&item->memory, address->t, address->n);
	end = item->memory.n;
	item->kind = kind_of(buf_str(&item->memory), item->has_host, v->includes);
	if (item->kind == ALIAS_ADDRESS) {
		rewrite_address(v->rules, address);
		tokens_add_plain(&item->memory, address->t, address->n);
	}
	item->full = str_from(buf_str(&item->memory), end);
	item->plain = str_head(buf_str(&item->memory), end);
	if (item->kind == ALIAS_PROGRAM)
		item->plain = str_from(item->plain, 1);
	if (item->kind == ALIAS_INCLUDE)
		item->plain = str_from(item->plain, INCLUDE.n);
}

static void visit(void *ctx, struct token_list *address)
{
	struct visit *v = ctx;
	struct alias_items *items = v->items;

	if (items->n == items->cap) {
		items->cap = items->cap ? items->cap * 2 : 16;
		items->item = mem_array(items->item, items->cap, sizeof *items->item);
	}
	items->item[items->n] = (struct alias_item){ .memory = BUF_INIT(SIZE_MAX) };
	fill(&items->item[items->n++], address, v);
}

static void reverse(struct alias_items *items)
{
	for (size_t i = 0, k = items->n; i + 1 < k; i++) {
		struct alias_item swap = items->item[i];

		items->item[i] = items->item[--k];
		items->item[k] = swap;
	}
}

bool aliasline_parse(struct str line, const struct rewrite_rules *rules, bool includes, struct alias_items *items,
		     struct err *e)
{
	struct token_list words = { 0 }, separated = { 0 }, ignored = { 0 };
	struct visit v = { rules, items, includes };
	bool ok = str_chr(line, 0) == line.n && tokens_scan(&words, line);

	alias_items_free(items);
	if (ok) {
		prepare(&words, includes, &separated);
		ok = address_list_parse(&separated, &ignored, visit, &v);
	}
	reverse(items);
	if (!ok)
		err_temp(e, "unable to parse this line: %.*s", STR_ARG(str_head(line, SHOWN)));
	tokens_free(&words);
	tokens_free(&separated);
	tokens_free(&ignored);
	return ok;
}

bool aliasline_each(struct str text, const struct rewrite_rules *rules, bool includes,
		    bool (*each)(void *ctx, const struct alias_item *item, struct err *e), void *ctx, struct err *e)
{
	struct alias_items items = { 0 };
	struct str line;
	bool ok = true;

	while (ok && str_next_line(&text, &line)) {
		if (str_starts(line, STR("#")))
			continue;
		ok = aliasline_parse(line, rules, includes, &items, e);
		for (size_t i = items.n; ok && i > 0; i--)
			ok = each(ctx, &items.item[i - 1], e);
	}
	alias_items_free(&items);
	return ok;
}

#include "aliases/aliasfile.h"

#include "aliases/aliasline.h"

#define FIELD_MAX (256u << 20)
#define OWNER STR("owner-")

struct compiler {
	const struct rewrite_rules *rules;
	alias_record *record;
	void *ctx;
	struct alias_items items;
	struct buf key, data;
};

static bool add_recipient(const struct alias_item *item, struct buf *data, struct err *e)
{
	switch (item->kind) {
	case ALIAS_ADDRESS:
		return alias_add_address(data, item->full, e);
	case ALIAS_PROGRAM:
		buf_addc(data, '!');
		buf_add(data, item->plain);
		buf_addc(data, 0);
		return true;
	case ALIAS_INCLUDE:
		return alias_add_path(data, item->plain, STR(".bin"), e);
	case ALIAS_FILE:
		break;
	}
	return err_temp(e, "file delivery %.*s not supported", STR_ARG(str_head(item->plain, 200)));
}

/* "user" is any user of that name, whatever the host. */
static void set_key(struct compiler *c, char kind, struct str target, bool has_host)
{
	alias_key(&c->key, kind, target);
	if (!has_host)
		buf_addc(&c->key, '@');
}

static bool add_owner(struct compiler *c, const struct alias_item *target, struct err *e)
{
	if (!str_istarts(target->plain, OWNER))
		return true;
	set_key(c, '?', str_from(target->plain, OWNER.n), target->has_host);
	return c->record(c->ctx, buf_str(&c->key), target->full, e);
}

static bool define(struct compiler *c, struct str line, struct err *e)
{
	const struct alias_item *target = c->items.item;

	if (c->items.n == 0)
		return true;
	if (target->kind != ALIAS_ADDRESS || target->plain.n == 0 || c->items.n == 1)
		return err_temp(e, "unable to parse this line: %.*s", STR_ARG(str_head(line, 200)));
	buf_clear(&c->data);
	for (size_t i = c->items.n; --i > 0;)
		if (!add_recipient(&c->items.item[i], &c->data, e))
			return false;
	if (!add_owner(c, target, e))
		return false;
	set_key(c, ':', target->plain, target->has_host);
	return c->record(c->ctx, buf_str(&c->key), buf_str(&c->data), e);
}

static bool compile_line(struct compiler *c, struct str line, struct err *e)
{
	return *line.p == '#' || (aliasline_parse(line, c->rules, true, &c->items, e) && define(c, line, e));
}

static bool continues(struct str line)
{
	return line.n == 0 || *line.p == ' ' || *line.p == '\t' || *line.p == '\r';
}

/* Takes the next line with all that continues it; empty lines end nothing. The result is not empty. */
static bool next_logical(struct str *rest, struct str *line)
{
	struct str first, more, ahead;

	do {
		if (!str_next_line(rest, &first))
			return false;
	} while (str_trim_end(first).n == 0);
	*line = first;
	ahead = *rest;
	while (str_next_line(&ahead, &more) && continues(more)) {
		*line = (struct str){ first.p, (size_t)(more.p + more.n - first.p) };
		*rest = ahead;
	}
	return true;
}

bool aliasfile_compile(struct str text, const struct rewrite_rules *rules, alias_record *record, void *ctx,
		       struct err *e)
{
	struct compiler c = { rules, record, ctx, { 0 }, BUF_INIT(FIELD_MAX), BUF_INIT(FIELD_MAX) };
	struct str line;
	bool ok = true;

	while (ok && next_logical(&text, &line))
		ok = compile_line(&c, line, e);
	alias_items_free(&c.items);
	buf_free(&c.key);
	buf_free(&c.data);
	return ok;
}

static bool add_member(void *ctx, const struct alias_item *item, struct err *e)
{
	struct buf *out = ctx;

	switch (item->kind) {
	case ALIAS_ADDRESS:
		/* "<>" is nobody. */
		return item->plain.n == 0 || alias_add_address(out, item->full, e);
	case ALIAS_INCLUDE:
		return alias_add_path(out, item->plain, STR(""), e);
	case ALIAS_PROGRAM:
		return err_temp(e, "program delivery |%.*s not supported", STR_ARG(str_head(item->plain, 200)));
	case ALIAS_FILE:
		break;
	}
	return err_temp(e, "file delivery %.*s not supported", STR_ARG(str_head(item->plain, 200)));
}

bool aliasfile_compile_list(struct str text, const struct rewrite_rules *rules, struct buf *out, struct err *e)
{
	return aliasline_each(text, rules, true, add_member, out, e);
}

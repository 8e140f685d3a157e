#include "inject/compose.h"

#include "base/date.h"
#include "mail/address_list.h"
#include "mail/header.h"

void compose_init(struct compose *c, const struct compose_facts *facts, struct compose_options options)
{
	*c = (struct compose){
		.options = options,
		.facts = facts,
		.kept = BUF_INIT(COMPOSE_HEADER_MAX),
		.recipients = ADDRESSES_INIT,
		.resent = ADDRESSES_INIT,
		.followup = ADDRESSES_INIT,
		.sender = BUF_INIT(COMPOSE_HEADER_MAX),
	};
}

void compose_free(struct compose *c)
{
	buf_free(&c->kept);
	buf_free(&c->sender);
	addresses_free(&c->recipients);
	addresses_free(&c->resent);
	addresses_free(&c->followup);
	tokens_free(&c->tokens);
	tokens_free(&c->written);
}

static bool seen(const struct compose *c, enum field f)
{
	return c->seen >> f & 1;
}

static bool is_resent(const struct compose *c)
{
	for (int f = 0; f < FIELD_COUNT; f++)
		if (seen(c, (enum field)f) && field_traits((enum field)f)->resent)
			return true;
	return false;
}

/* What one field's addresses are added to. */
struct visit {
	struct compose *c;
	const struct field_traits *traits;
};

static void note_followup(struct compose *c, const struct token_list *address)
{
	const struct control_map *wanted = c->facts->followup;
	struct buf plain = BUF_INIT(SIZE_MAX);

	if (wanted == NULL || address->n == 0)
		return;
	tokens_write(&c->followup.text, address->t, address->n, 0, 0);
	addresses_end(&c->followup);
	tokens_add_plain(&plain, address->t, address->n);
	if (control_map_find(wanted, buf_str(&plain), NULL) ||
	    control_map_find(wanted, addresses_get(&c->followup, c->followup.n - 1), NULL))
		c->followup_wanted = true;
	buf_free(&plain);
}

static void visit_address(void *ctx, struct token_list *address)
{
	const struct visit *v = ctx;
	struct compose *c = v->c;
	struct addresses *list = v->traits->use == FIELD_GIVES_RESENT_RECIPIENTS ? &c->resent : &c->recipients;

	rewrite_address(c->facts->rules, address);
	switch (v->traits->use) {
	case FIELD_GIVES_RECIPIENTS:
	case FIELD_GIVES_RESENT_RECIPIENTS:
		tokens_add_plain(&list->text, address->t, address->n);
		addresses_end(list);
		break;
	case FIELD_ORIGIN:
		/* From right to left: the leftmost address stays. */
		buf_clear(&c->sender);
		tokens_add_plain(&c->sender, address->t, address->n);
		break;
	case FIELD_PLAIN:
	case FIELD_SHOWN:
		break;
	}
	if (v->traits->to_cc)
		note_followup(c, address);
}

/* Parses and rewrites a body into c->written. */
static bool parse_body(struct compose *c, const struct field_traits *traits, struct str body)
{
	struct visit v = { c, traits };

	c->tokens.n = 0;
	return tokens_scan(&c->tokens, body) && address_list_parse(&c->tokens, &c->written, visit_address, &v);
}

static void write_field(struct buf *out, struct str name, const struct token_list *body)
{
	buf_add(out, name);
	buf_addc(out, ':');
	tokens_write(out, body->t, body->n, name.n + 1, COMPOSE_LINE_WIDTH);
	buf_addc(out, '\n');
}

static void keep_as_it_is(struct compose *c, struct str field)
{
	buf_add(&c->kept, field);
	if (field.n && field.p[field.n - 1] != '\n')
		buf_addc(&c->kept, '\n');
}

static bool gives_recipients(const struct field_traits *traits)
{
	return traits->use == FIELD_GIVES_RECIPIENTS || traits->use == FIELD_GIVES_RESENT_RECIPIENTS;
}

/* A malformed recipient field: what was gathered from it is forgotten. */
struct mark {
	size_t recipients, resent, followup;
	bool followup_wanted;
};

static struct mark mark_of(const struct compose *c)
{
	return (struct mark){ c->recipients.n, c->resent.n, c->followup.n, c->followup_wanted };
}

static void go_back(struct compose *c, struct mark m)
{
	addresses_truncate(&c->recipients, m.recipients);
	addresses_truncate(&c->resent, m.resent);
	addresses_truncate(&c->followup, m.followup);
	c->followup_wanted = m.followup_wanted;
}

static bool address_field(struct compose *c, struct str field, const struct field_traits *traits, struct err *e)
{
	struct mark before = mark_of(c);
	struct str text = str_trim_end(field);

	if (parse_body(c, traits, header_body(field))) {
		if (!traits->deleted)
			write_field(&c->kept, header_name(field), &c->written);
		return true;
	}
	if (!gives_recipients(traits))
		return err_perm(e, "unable to parse this line:\n%.*s", STR_ARG(str_head(text, 400)));
	go_back(c, before);
	c->unparsed++;
	if (!traits->deleted)
		keep_as_it_is(c, field);
	return true;
}

static bool is_unwanted(const struct compose *c, enum field f)
{
	return (f == FIELD_FROM && c->options.delete_from) || (f == FIELD_MESSAGE_ID && c->options.delete_message_id) ||
	       (f == FIELD_RETURN_PATH && (c->options.ignore_return_path || c->has_sender));
}

static bool check_size(const struct compose *c, struct err *e)
{
	if (buf_ok(&c->kept))
		return true;
	return err_perm(e, "the header is larger than %u bytes", COMPOSE_HEADER_MAX);
}

bool compose_field(struct compose *c, struct str field, struct err *e)
{
	enum field f = field_find(header_name(field));
	const struct field_traits *traits = field_traits(f);
	bool ok = true;

	if (is_unwanted(c, f))
		return true;
	c->seen |= (uint32_t)1 << f;
	if (traits->use != FIELD_PLAIN)
		ok = address_field(c, field, traits, e);
	else if (!traits->deleted)
		keep_as_it_is(c, field);
	if (f == FIELD_RETURN_PATH)
		c->has_sender = true;
	return ok && check_size(c, e);
}

bool compose_mbox_line(struct compose *c, struct str line, struct err *e)
{
	buf_addz(&c->kept, "MBOX-Line: ");
	keep_as_it_is(c, line);
	return check_size(c, e);
}

/* Parses and rewrites an address list that we made; the result is in c->written. */
static bool parse_own(struct compose *c, enum field use, struct str text, struct err *e)
{
	if (parse_body(c, field_traits(use), text))
		return true;
	return err_perm(e, "unable to parse this line:\n%.*s", STR_ARG(str_head(text, 400)));
}

static bool default_sender(struct compose *c, struct err *e)
{
	struct buf text = BUF_INIT(COMPOSE_HEADER_MAX), suffix = BUF_INIT(100);
	bool ok;

	if (c->options.sender_per_message)
		buf_addf(&suffix, "-%lld.%llu", (long long)c->facts->time, (unsigned long long)c->facts->pid);
	if (c->options.sender_per_recipient)
		buf_addc(&suffix, '-');
	identity_sender(c->facts->who, buf_str(&suffix), &text);
	ok = parse_own(c, FIELD_RETURN_PATH, buf_str(&text), e);
	buf_free(&text);
	buf_free(&suffix);
	return ok;
}

bool compose_sender(struct compose *c, struct buf *out, struct err *e)
{
	if (!c->has_sender && !default_sender(c, e))
		return false;
	buf_clear(out);
	buf_add(out, buf_str(&c->sender));
	if (c->options.sender_per_recipient && out->n)
		buf_addz(out, "-@[]");
	return true;
}

const struct addresses *compose_recipients(const struct compose *c)
{
	return is_resent(c) ? &c->resent : &c->recipients;
}

static bool add_from(struct compose *c, struct str name, struct buf *out, struct err *e)
{
	struct buf text = BUF_INIT(COMPOSE_HEADER_MAX);
	bool ok;

	identity_from(c->facts->who, c->options.name_as_comment, &text);
	ok = parse_own(c, FIELD_FROM, buf_str(&text), e);
	if (ok)
		write_field(out, name, &c->written);
	buf_free(&text);
	return ok;
}

static void add_followup(const struct compose *c, struct buf *out)
{
	if (!c->followup_wanted || seen(c, FIELD_MAIL_FOLLOWUP_TO))
		return;
	buf_addz(out, "Mail-Followup-To: ");
	for (size_t i = c->followup.n; i-- > 0;) {
		buf_add(out, addresses_get(&c->followup, i));
		buf_addz(out, i ? ",\n  " : "\n");
	}
}

bool compose_generated(struct compose *c, struct buf *out, struct err *e)
{
	bool resent = is_resent(c);
	const char *prefix = resent ? "Resent-" : "";

	if (!seen(c, resent ? FIELD_RESENT_DATE : FIELD_DATE)) {
		buf_addf(out, "%sDate: ", prefix);
		date_add_822(out, c->facts->time);
		buf_addc(out, '\n');
	}
	if (!seen(c, resent ? FIELD_RESENT_MESSAGE_ID : FIELD_MESSAGE_ID)) {
		buf_addf(out, "%sMessage-ID: <", prefix);
		date_add_compact(out, c->facts->time);
		buf_addf(out, ".%llu.qmail@", (unsigned long long)c->facts->pid);
		buf_add(out, c->facts->idhost);
		buf_addz(out, ">\n");
	}
	if (!seen(c, resent ? FIELD_RESENT_FROM : FIELD_FROM) &&
	    !add_from(c, field_traits(resent ? FIELD_RESENT_FROM : FIELD_FROM)->name, out, e))
		return false;
	if (!seen(c, resent ? FIELD_RESENT_TO : FIELD_TO) && !seen(c, resent ? FIELD_RESENT_CC : FIELD_CC))
		buf_addf(out, "%sCc: recipient list not shown: ;\n", prefix);
	if (!resent)
		add_followup(c, out);
	return true;
}

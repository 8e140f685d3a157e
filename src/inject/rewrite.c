#include "inject/rewrite.h"

#include "mail/quote.h"

#define PART_MAX 4096 /* bytes of a default host or domain */

static bool init_part(struct buf *text, struct token_list *tokens, char first, struct str value, const char *name,
		      struct err *e)
{
	*text = BUF_INIT(PART_MAX);
	buf_addc(text, first);
	buf_add(text, value);
	if (!buf_ok(text) || !tokens_scan(tokens, buf_str(text)))
		return err_perm(e, "the %s cannot be part of an address: %.*s", name, STR_ARG(str_head(value, 200)));
	return true;
}

bool rewrite_init(struct rewrite_rules *r, struct str defaulthost, struct str defaultdomain, struct str plusdomain,
		  struct err *e)
{
	*r = (struct rewrite_rules){ 0 };
	return init_part(&r->host_text, &r->host, '@', defaulthost, "defaulthost", e) &&
	       init_part(&r->domain_text, &r->domain, '.', defaultdomain, "defaultdomain", e) &&
	       init_part(&r->plus_text, &r->plus, '.', plusdomain, "plusdomain", e);
}

void rewrite_free(struct rewrite_rules *r)
{
	buf_free(&r->host_text);
	buf_free(&r->domain_text);
	buf_free(&r->plus_text);
	tokens_free(&r->host);
	tokens_free(&r->domain);
	tokens_free(&r->plus);
}

static void append(struct token_list *address, const struct token_list *part)
{
	for (size_t i = 0; i < part->n; i++)
		tokens_add(address, part->t[i]);
}

static bool is_kind(const struct token_list *a, size_t i, enum token_kind kind)
{
	return i < a->n && a->t[i].kind == kind;
}

/* "@a,@b:" at the front; without a colon nothing but a route is there, and nothing stays. */
static void drop_route(struct token_list *a)
{
	size_t n = 0;

	if (!is_kind(a, 0, TOKEN_AT))
		return;
	while (n < a->n && a->t[n].kind != TOKEN_COLON)
		n++;
	if (n < a->n)
		n++;
	a->n -= n;
	if (a->n)
		memmove(a->t, a->t + n, a->n * sizeof *a->t);
}

static void drop_last(struct token_list *a, enum token_kind kind)
{
	if (a->n && a->t[a->n - 1].kind == kind)
		a->n--;
}

/* Index behind the last '@'; 0 when there is none. */
static size_t host_start(const struct token_list *a)
{
	size_t i = a->n;

	while (i && a->t[i - 1].kind != TOKEN_AT)
		i--;
	return i;
}

static void expand_plus(const struct rewrite_rules *r, struct token_list *a)
{
	struct token *t = &a->t[a->n - 1];

	if (t->kind != TOKEN_ATOM || t->n == 0 || t->p[t->n - 1] != '+')
		return;
	t->n--;
	append(a, &r->plus);
}

static bool host_is_complete(const struct token_list *a)
{
	for (size_t i = host_start(a); i < a->n; i++)
		if (a->t[i].kind == TOKEN_DOT || a->t[i].kind == TOKEN_LITERAL)
			return true;
	return false;
}

static bool untouchable(const struct token_list *a)
{
	return a->n == 0 ||
	       (is_kind(a, a->n - 1, TOKEN_LITERAL) && a->t[a->n - 1].n == 0 && host_start(a) == a->n - 1 && a->n > 1);
}

void rewrite_address(const struct rewrite_rules *r, struct token_list *address)
{
	if (untouchable(address))
		return;
	drop_route(address);
	drop_last(address, TOKEN_DOT);
	drop_last(address, TOKEN_AT);
	if (address->n == 0)
		return;
	if (host_start(address) == 0)
		append(address, &r->host);
	expand_plus(r, address);
	if (!host_is_complete(address))
		append(address, &r->domain);
}

bool rewrite_plain(const struct rewrite_rules *r, struct str address, struct buf *out, struct err *e)
{
	struct buf quoted = BUF_INIT(SIZE_MAX);
	struct token_list tokens = { 0 };
	bool ok;

	quote_address(&quoted, address);
	ok = tokens_scan(&tokens, buf_str(&quoted));
	if (ok) {
		rewrite_address(r, &tokens);
		buf_clear(out);
		tokens_add_plain(out, tokens.t, tokens.n);
		ok = buf_ok(out);
	}
	if (!ok)
		err_perm(e, "unable to parse address: %.*s", STR_ARG(str_head(address, 400)));
	tokens_free(&tokens);
	buf_free(&quoted);
	return ok;
}

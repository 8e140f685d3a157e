/*
 * What MAIL and RCPT have in common: their argument.
 */
#include "smtpserver/smtpcommand.h"

/* The text between the brackets of a domain that is an address literal. */
static bool literal_of(struct str domain, struct str *inside)
{
	if (domain.n < 3 || *domain.p != '[' || domain.p[domain.n - 1] != ']')
		return false;
	*inside = (struct str){ domain.p + 1, domain.n - 2 };
	return true;
}

static void replace_literal(struct smtp_session *s)
{
	struct smtparg *a = &s->arg;
	struct str inside;

	if (!s->settings->has_localiphost || a->at == a->address.n)
		return;
	if (!literal_of(str_from(buf_str(&a->address), a->at + 1), &inside) || !s->ops->own_address(s->ctx, inside))
		return;
	buf_truncate(&a->address, a->at + 1);
	buf_add(&a->address, s->settings->localiphost);
}

bool smtp_read_address(struct smtp_session *s, struct str arg, enum smtparg_set set)
{
	enum smtparg_result r = smtparg_parse(arg, smtp_offers_dsn(s) ? set : SMTPARG_PLAIN, &s->arg);

	if (r == SMTPARG_OK)
		replace_literal(s);
	if (r == SMTPARG_OK && buf_ok(&s->arg.address))
		return true;
	smtp_refuse(s,
		    r == SMTPARG_BAD_VALUE ? "501 syntax error in parameters (#5.5.4)" : "555 syntax error (#5.5.4)");
	return false;
}

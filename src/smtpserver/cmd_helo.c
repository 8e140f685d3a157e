/*
 * HELO and EHLO: the client's name for itself, and the list of extensions.
 */
#include "smtpserver/smtpcommand.h"

static void greet(struct smtp_session *s, struct str name)
{
	smtp_transaction_reset(s);
	buf_clear(&s->helo);
	buf_add(&s->helo, str_head(name, SMTP_HELO_MAX));
	s->helo_given = true;
}

void cmd_helo(struct smtp_session *s, struct str arg)
{
	greet(s, arg);
	buf_add(s->out, STR("250 "));
	buf_add(s->out, s->settings->greeting);
	smtp_reply(s, "");
}

bool smtp_offers_dsn(const struct smtp_session *s)
{
	return !s->client->no_wishes &&
	       (s->settings->dsn == SMTP_DSN_ALL || (s->settings->dsn == SMTP_DSN_RELAY && s->client->relay));
}

void cmd_ehlo(struct smtp_session *s, struct str arg)
{
	greet(s, arg);
	buf_add(s->out, STR("250-"));
	buf_add(s->out, s->settings->greeting);
	buf_add(s->out, STR("\r\n250-PIPELINING\r\n250-SIZE "));
	buf_addu(s->out, s->settings->databytes);
	buf_add(s->out, smtp_offers_dsn(s) ? STR("\r\n250-DSN") : STR(""));
	smtp_reply(s, "\r\n250 8BITMIME");
}

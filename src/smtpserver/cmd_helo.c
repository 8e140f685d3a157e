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

void cmd_ehlo(struct smtp_session *s, struct str arg)
{
	greet(s, arg);
	buf_add(s->out, STR("250-"));
	buf_add(s->out, s->settings->greeting);
	buf_add(s->out, STR("\r\n250-PIPELINING\r\n250-SIZE "));
	buf_addu(s->out, s->settings->databytes);
	smtp_reply(s, "\r\n250 8BITMIME");
}

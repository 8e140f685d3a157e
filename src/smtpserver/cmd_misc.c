/*
 * The commands that say or change little.
 */
#include "smtpserver/smtpcommand.h"

void cmd_rset(struct smtp_session *s, struct str arg)
{
	(void)arg;
	smtp_transaction_reset(s);
	smtp_reply(s, "250 flushed");
}

void cmd_noop(struct smtp_session *s, struct str arg)
{
	(void)arg;
	smtp_reply(s, "250 ok");
}

/* Tells nobody which addresses exist. */
void cmd_vrfy(struct smtp_session *s, struct str arg)
{
	(void)arg;
	smtp_reply(s, "252 send some mail, i'll try my best");
}

void cmd_help(struct smtp_session *s, struct str arg)
{
	(void)arg;
	smtp_reply(s, "214 quillmail home page: see README; commands: HELO EHLO MAIL RCPT DATA RSET NOOP VRFY QUIT");
}

void cmd_quit(struct smtp_session *s, struct str arg)
{
	(void)arg;
	buf_add(s->out, STR("221 "));
	buf_add(s->out, s->settings->greeting);
	s->quit = true;
	smtp_end(s, "", "quit");
}

void cmd_unknown(struct smtp_session *s, struct str arg)
{
	(void)arg;
	smtp_refuse(s, "502 unimplemented (#5.5.1)");
}

/* Another protocol: what follows is not for us to interpret. */
void cmd_foreign(struct smtp_session *s, struct str arg)
{
	(void)arg;
	s->counts.refusals++;
	smtp_end(s, "502 unimplemented (#5.5.1)", "not SMTP");
}

/*
 * RCPT: one recipient. This is where relaying is refused.
 */
#include "smtpserver/smtpcommand.h"

static void refuse_recipient(struct smtp_session *s, const char *text)
{
	s->ops->note(s->ctx, s, SMTP_NOTE_RECIPIENT, buf_str(&s->arg.address));
	smtp_refuse(s, text);
}

static bool may_have(struct smtp_session *s)
{
	if (s->client->relay)
		return true;
	switch (s->ops->recipient(s->ctx, buf_str(&s->arg.address), s->arg.at)) {
	case SMTP_ALLOWED:
		return true;
	case SMTP_REFUSED:
		refuse_recipient(s, "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)");
		return false;
	default:
		smtp_end(s, "421 unable to read controls (#4.3.0)", "unable to read controls");
		return false;
	}
}

static void add_recipient(struct smtp_session *s)
{
	size_t before = s->t.recipients.n;

	buf_add(&s->t.recipients, buf_str(&s->arg.address));
	if (s->client->relay)
		buf_add(&s->t.recipients, s->client->relay_suffix);
	buf_addc(&s->t.recipients, 0);
	if (!buf_ok(&s->t.recipients) || s->t.nrecipients >= s->settings->max_recipients) {
		s->t.recipients.failed = false;
		buf_truncate(&s->t.recipients, before);
		refuse_recipient(s, "452 too many recipients (#4.5.3)");
		return;
	}
	s->t.nrecipients++;
	smtp_reply(s, "250 ok");
}

void cmd_rcpt(struct smtp_session *s, struct str arg)
{
	if (!s->t.mail) {
		smtp_refuse(s, "503 MAIL first (#5.5.1)");
		return;
	}
	if (!smtp_read_address(s, arg))
		return;
	/* Nobody can receive mail for "", and a@b@c is how relays are fooled. */
	if (s->arg.address.n == 0 || s->arg.many_at) {
		refuse_recipient(s, "555 syntax error (#5.5.4)");
		return;
	}
	if (s->t.sender_bad) {
		refuse_recipient(s, "553 sorry, your envelope sender is in my badmailfrom list (#5.7.1)");
		return;
	}
	if (may_have(s))
		add_recipient(s);
}

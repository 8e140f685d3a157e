/*
 * RCPT: one recipient. This is where relaying and, if asked for, addresses
 * that do not exist and full mailboxes are refused.
 */
#include "smtpserver/smtpcommand.h"
#include "wire/wire.h"

#define WISHES_MAX (16u << 20)

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

/* Takes back the recipient that begins at `before`. */
static void drop_recipient(struct smtp_session *s, size_t before, const char *text)
{
	s->t.recipients.failed = false;
	buf_truncate(&s->t.recipients, before);
	refuse_recipient(s, text);
}

/* What the sender wants to hear of it. */
static void add_wish(struct smtp_session *s)
{
	struct buf *wishes = &s->t.wishes;

	if (s->arg.notify == 0 && s->arg.orcpt.n == 0)
		return;
	wire_put_u32(wishes, (uint32_t)s->t.nrecipients);
	wire_put_u8(wishes, s->arg.notify);
	wire_put_str(wishes, s->arg.orcpt);
}

/* NULL: nothing is known that speaks against it. */
static const char *mailbox_refusal(struct smtp_session *s, struct str recipient)
{
	switch (s->ops->mailbox ? s->ops->mailbox(s->ctx, recipient, s->t.announced) : SMTP_MAILBOX_TAKES) {
	case SMTP_MAILBOX_ABSENT:
		return "550 sorry, no mailbox here by that name. (#5.1.1)";
	case SMTP_MAILBOX_FULL:
		/* Not 552: clients take that for "too many recipients" and come again (RFC 5321 §4.5.3.1.10). */
		return "550 sorry, the mailbox is full (#5.2.2)";
	default:
		return NULL;
	}
}

static void add_recipient(struct smtp_session *s)
{
	struct buf *list = &s->t.recipients;
	size_t before = list->n;
	const char *refusal;

	buf_add(list, buf_str(&s->arg.address));
	if (s->client->relay)
		buf_add(list, s->client->relay_suffix);
	buf_addc(list, 0);
	if (!buf_ok(list) || s->t.wishes.n > WISHES_MAX || s->t.nrecipients >= s->settings->max_recipients) {
		drop_recipient(s, before, "452 too many recipients (#4.5.3)");
		return;
	}
	refusal = mailbox_refusal(s, (struct str){ list->p + before, list->n - before - 1 });
	if (refusal) {
		drop_recipient(s, before, refusal);
		return;
	}
	add_wish(s);
	s->t.nrecipients++;
	smtp_reply(s, "250 ok");
}

void cmd_rcpt(struct smtp_session *s, struct str arg)
{
	if (!s->t.mail) {
		smtp_refuse(s, "503 MAIL first (#5.5.1)");
		return;
	}
	if (!smtp_read_address(s, arg, SMTPARG_RCPT))
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

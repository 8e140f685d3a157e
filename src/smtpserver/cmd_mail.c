/*
 * MAIL: begins a message. A MAIL that is refused also ends the message before
 * it, so that no later command can work on a mixture.
 */
#include "smtpserver/smtpcommand.h"

void cmd_mail(struct smtp_session *s, struct str arg)
{
	uint64_t limit = s->settings->databytes;

	smtp_transaction_reset(s);
	if (!smtp_read_address(s, arg, SMTPARG_MAIL))
		return;
	if (limit && s->arg.size_given && s->arg.size > limit) {
		smtp_refuse(s, "552 sorry, that message size exceeds my databytes limit (#5.3.4)");
		return;
	}
	buf_add(&s->t.sender, buf_str(&s->arg.address));
	s->t.announced = s->arg.size_given ? s->arg.size : 0;
	s->t.eightbit = s->arg.body_8bit;
	s->t.ret = s->arg.ret;
	buf_add(&s->t.envid, s->arg.envid);
	/* badmailfrom speaks at RCPT: by then a human can be told which recipient did not get it. */
	s->t.sender_bad = s->ops->sender_is_bad(s->ctx, buf_str(&s->t.sender), s->arg.at);
	s->t.mail = true;
	smtp_reply(s, "250 ok");
}

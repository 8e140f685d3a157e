#include "smtpserver/smtpsession.h"

#include "mail/dsn.h"
#include "smtpserver/smtpcommand.h"

/* Addresses of one message, in memory; recipients are also counted. */
#define RECIPIENTS_LIMIT (64u << 20)

static const struct verb {
	struct str name;
	void (*run)(struct smtp_session *s, struct str arg);
	bool idle; /* leads nowhere by itself: limited by max_idle */
} verbs[] = {
	{ { "MAIL", 4 }, cmd_mail, false },
	{ { "RCPT", 4 }, cmd_rcpt, false },
	{ { "DATA", 4 }, cmd_data, false },
	{ { "QUIT", 4 }, cmd_quit, false },
	{ { "EHLO", 4 }, cmd_ehlo, true },
	{ { "HELO", 4 }, cmd_helo, true },
	{ { "RSET", 4 }, cmd_rset, true },
	{ { "NOOP", 4 }, cmd_noop, true },
	{ { "VRFY", 4 }, cmd_vrfy, true },
	{ { "HELP", 4 }, cmd_help, true },
	/* What follows BDAT is content, what follows the others is HTTP: none of it may be read as commands. */
	{ { "BDAT", 4 }, cmd_foreign, false },
	{ { "GET", 3 }, cmd_foreign, false },
	{ { "HEAD", 4 }, cmd_foreign, false },
	{ { "POST", 4 }, cmd_foreign, false },
	{ { "PUT", 3 }, cmd_foreign, false },
	{ { "OPTIONS", 7 }, cmd_foreign, false },
	{ { "CONNECT", 7 }, cmd_foreign, false },
};

void smtp_reply(struct smtp_session *s, const char *text)
{
	buf_addz(s->out, text);
	buf_add(s->out, STR("\r\n"));
}

void smtp_refuse(struct smtp_session *s, const char *text)
{
	s->errors++;
	s->counts.refusals++;
	smtp_reply(s, text);
}

void smtp_end(struct smtp_session *s, const char *text, const char *how)
{
	smtp_transaction_reset(s);
	s->in_data = false;
	s->ended = how;
	smtp_reply(s, text);
}

void smtp_end_bare_lf(struct smtp_session *s)
{
	smtp_end(s, "451 See http://pobox.com/~djb/docs/smtplf.html.", "bare LF");
}

void smtp_transaction_reset(struct smtp_session *s)
{
	struct buf sender = s->t.sender, recipients = s->t.recipients, envid = s->t.envid, wishes = s->t.wishes;

	if (s->t.queue_open)
		s->ops->cancel(s->ctx);
	buf_clear(&sender);
	buf_clear(&recipients);
	buf_clear(&envid);
	buf_clear(&wishes);
	s->t =
	    (struct smtp_transaction){ .sender = sender, .recipients = recipients, .envid = envid, .wishes = wishes };
}

void smtp_session_start(struct smtp_session *s, const struct smtp_settings *settings, const struct smtp_client *client,
			const struct smtp_ops *ops, void *ctx, struct buf *out)
{
	*s = (struct smtp_session){
		.settings = settings,
		.client = client,
		.ops = ops,
		.ctx = ctx,
		.helo = BUF_INIT(SMTP_HELO_MAX),
		.line = SMTPLINE_INIT,
		.arg = SMTPARG_INIT,
		.t.sender = BUF_INIT(SMTPARG_ADDRESS_MAX),
		.t.recipients = BUF_INIT(RECIPIENTS_LIMIT),
		.t.envid = BUF_INIT(DSN_ENVID_MAX),
		.t.wishes = BUF_INIT(RECIPIENTS_LIMIT),
		.decoded = BUF_INIT(SMTP_DATA_PIECE + 2),
		.out = out,
	};
	buf_add(out, STR("220 "));
	buf_add(out, settings->greeting);
	smtp_reply(s, " ESMTP");
}

static const struct verb *find_verb(struct str name)
{
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		if (str_ieq(name, verbs[i].name))
			return &verbs[i];
	return NULL;
}

static void check_patience(struct smtp_session *s)
{
	if (s->ended)
		return;
	if (s->errors > s->settings->max_errors)
		smtp_end(s, "421 too many errors (#4.7.0)", "too many errors");
	else if (s->idle > s->settings->max_idle)
		smtp_end(s, "421 too many commands without mail (#4.7.0)", "too many commands");
}

static void run_command(struct smtp_session *s, struct str line)
{
	struct str name, arg;
	const struct verb *verb;

	/* No command has such bytes, and the next program might end the line there. */
	if (memchr(line.p, 0, line.n) || memchr(line.p, '\r', line.n)) {
		smtp_refuse(s, "500 syntax error (#5.5.2)");
		return;
	}
	str_cut(line, ' ', &name, &arg);
	while (arg.n && *arg.p == ' ')
		arg = str_from(arg, 1);
	verb = find_verb(name);
	if (verb == NULL) {
		cmd_unknown(s, arg);
		return;
	}
	s->idle += verb->idle;
	verb->run(s, arg);
}

static void command_input(struct smtp_session *s, struct str *input)
{
	struct str line;

	switch (smtpline_next(&s->line, input, &line)) {
	case SMTPLINE_MORE:
		return;
	case SMTPLINE_READY:
		run_command(s, line);
		break;
	case SMTPLINE_LONG:
		smtp_refuse(s, "500 line too long (#5.5.2)");
		break;
	case SMTPLINE_ENDLESS:
		smtp_end(s, "500 line too long (#5.5.2)", "endless line");
		break;
	case SMTPLINE_BARE_LF:
		smtp_end_bare_lf(s);
		break;
	}
	check_patience(s);
}

size_t smtp_session_feed(struct smtp_session *s, struct str input, struct buf *out)
{
	struct str rest = input;

	s->out = out;
	while (rest.n && !s->ended && out->n < SMTP_REPLIES_MAX) {
		if (s->in_data)
			smtp_data_input(s, &rest);
		else
			command_input(s, &rest);
	}
	return input.n - rest.n;
}

void smtp_session_timeout(struct smtp_session *s, struct buf *out)
{
	s->out = out;
	smtp_end(s, "451 timeout (#4.4.2)", "timeout");
}

void smtp_session_close(struct smtp_session *s)
{
	smtp_transaction_reset(s);
	buf_free(&s->t.sender);
	buf_free(&s->t.recipients);
	buf_free(&s->t.envid);
	buf_free(&s->t.wishes);
	buf_free(&s->helo);
	buf_free(&s->arg.address);
	buf_free(&s->decoded);
	smtpline_free(&s->line);
	if (s->ended == NULL)
		s->ended = "disconnected";
}

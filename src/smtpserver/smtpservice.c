#include "smtpserver/smtpservice.h"

#include "mail/dsn.h"
#include "sys/clock.h"
#include "wire/wire.h"

/* Names from outside are cut to this in log lines. */
#define SHOWN 200

static void log_line(const struct smtp_service *v, struct buf *line)
{
	v->log(buf_cstr(line));
	buf_free(line);
}

static void add_client(struct buf *line, const struct smtp_session *s)
{
	buf_addf(line, " client [%.*s] (%.*s)", STR_ARG(s->client->ip), STR_ARG(str_head(s->client->host, SHOWN)));
	buf_addf(line, " helo %.*s", STR_ARG(str_head(buf_str(&s->helo), SHOWN)));
}

static int64_t now(void *ctx)
{
	(void)ctx;
	return clock_wall();
}

static bool sender_is_bad(void *ctx, struct str sender, size_t at)
{
	const struct smtp_service *v = ctx;

	return smtp_policy_sender_is_bad(v->policy, sender, at);
}

static void complain(const struct smtp_service *v, const struct err *e)
{
	if (v->log)
		v->log(e->text);
}

static enum smtp_permission recipient(void *ctx, struct str address, size_t at)
{
	struct smtp_service *v = ctx;
	struct err e;
	enum smtp_permission p = smtp_policy_recipient(v->policy, address, at, &e);

	if (p == SMTP_UNDECIDED)
		complain(v, &e);
	return p;
}

static enum smtp_mailbox mailbox(void *ctx, struct str address, uint64_t bytes)
{
	struct smtp_service *v = ctx;
	struct err e = { .kind = ERR_NONE };
	enum smtp_mailbox found;

	if (!v->policy->check_mailboxes)
		return SMTP_MAILBOX_TAKES;
	found = mailbox_look(&v->mailboxes, &v->policy->routes, address, bytes, &e);
	if (e.kind != ERR_NONE)
		complain(v, &e);
	return found;
}

static bool own_address(void *ctx, struct str literal)
{
	(void)ctx;
	return smtp_policy_own_address(literal);
}

static bool begin(void *ctx, const struct smtp_session *s)
{
	struct smtp_service *v = ctx;
	struct err e;

	if (!submit_begin(&v->submit, true, &e)) {
		complain(v, &e);
		return false;
	}
	submit_attribute(&v->submit, ATTR_PROTOCOL, STR("SMTP"));
	submit_attribute(&v->submit, ATTR_CLIENT_IP, s->client->ip);
	submit_attribute(&v->submit, ATTR_CLIENT_NAME, s->client->host);
	if (s->helo_given)
		submit_attribute(&v->submit, ATTR_HELO, buf_str(&s->helo));
	if (s->client->relay)
		submit_attribute(&v->submit, ATTR_SUBMISSION, STR(""));
	if (s->t.eightbit)
		submit_attribute(&v->submit, ATTR_BODY_8BIT, STR(""));
	submit_dsn(&v->submit, s->t.ret, buf_str(&s->t.envid));
	return true;
}

static void content(void *ctx, struct str data)
{
	struct smtp_service *v = ctx;

	submit_data(&v->submit, data);
}

/* Returns which recipient has the next one. */
static uint32_t put_wish(struct smtp_service *v, struct wire_reader *wishes)
{
	uint8_t notify = wire_get_u8(wishes);

	submit_recipient_dsn(&v->submit, notify, wire_get_str(wishes, DSN_ORCPT_MAX));
	return wishes->rest.n ? wire_get_u32(wishes) : UINT32_MAX;
}

static bool commit(void *ctx, const struct smtp_session *s, struct submit_result *r)
{
	struct smtp_service *v = ctx;
	struct str rest = buf_str(&s->t.recipients), address;
	struct wire_reader wishes = wire_reader(buf_str(&s->t.wishes));
	uint32_t next = wishes.rest.n ? wire_get_u32(&wishes) : UINT32_MAX;

	submit_sender(&v->submit, buf_str(&s->t.sender));
	for (uint32_t i = 0; rest.n; i++) {
		str_cut(rest, 0, &address, &rest);
		submit_recipient(&v->submit, address);
		if (i != next)
			continue;
		next = put_wish(v, &wishes);
	}
	return submit_commit(&v->submit, r);
}

static void cancel(void *ctx)
{
	struct smtp_service *v = ctx;

	submit_cancel(&v->submit);
}

static void note(void *ctx, const struct smtp_session *s, enum smtp_note what, struct str text)
{
	const struct smtp_service *v = ctx;
	struct buf line = BUF_INIT(4096);

	if (v->log == NULL)
		return;
	if (what == SMTP_NOTE_ACCEPTED)
		buf_addf(&line, "accepted %.*s bytes %llu recipients %llu", STR_ARG(text),
			 (unsigned long long)s->t.bytes, (unsigned long long)s->t.nrecipients);
	else if (what == SMTP_NOTE_RECIPIENT)
		buf_addf(&line, "refused to <%.*s>", STR_ARG(str_head(text, SHOWN)));
	else
		buf_addf(&line, "not accepted (%.*s)", STR_ARG(str_head(text, SHOWN)));
	buf_addf(&line, " from <%.*s>", STR_ARG(str_head(buf_str(&s->t.sender), SHOWN)));
	add_client(&line, s);
	log_line(v, &line);
}

const struct smtp_ops *smtp_service_ops(void)
{
	static const struct smtp_ops ops = {
		.now = now,
		.sender_is_bad = sender_is_bad,
		.recipient = recipient,
		.own_address = own_address,
		.begin = begin,
		.content = content,
		.commit = commit,
		.cancel = cancel,
		.note = note,
		.mailbox = mailbox,
	};

	return &ops;
}

void smtp_service_log_end(const struct smtp_service *v, const struct smtp_session *s)
{
	struct buf line = BUF_INIT(4096);

	if (v->log == NULL)
		return;
	buf_addf(&line, "end (%s) messages %llu recipients %llu bytes %llu refusals %llu",
		 s->ended ? s->ended : "disconnected", (unsigned long long)s->counts.messages,
		 (unsigned long long)s->counts.recipients, (unsigned long long)s->counts.bytes,
		 (unsigned long long)s->counts.refusals);
	add_client(&line, s);
	log_line(v, &line);
}

void smtp_service_close(struct smtp_service *v)
{
	submit_close(&v->submit);
	mailbox_check_close(&v->mailboxes);
}

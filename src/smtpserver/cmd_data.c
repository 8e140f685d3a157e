/*
 * DATA: the content, from the 354 to the reply behind the final dot.
 */
#include "mail/received.h"
#include "smtpserver/smtpcommand.h"

static void give_received_line(struct smtp_session *s)
{
	const struct smtp_client *c = s->client;
	struct received_client from = {
		.host = c->host,
		.ip = c->ip,
		.info = c->info,
		.has_info = c->has_info,
		.helo = buf_str(&s->helo),
		.has_helo = s->helo_given,
		.local = c->local,
	};
	struct buf line = BUF_INIT(4 * SMTPLINE_MAX);

	received_smtp(&line, &from, STR("SMTP"), s->ops->now(s->ctx));
	s->ops->content(s->ctx, buf_str(&line));
	buf_free(&line);
}

void cmd_data(struct smtp_session *s, struct str arg)
{
	(void)arg;
	if (!s->t.mail || !s->t.nrecipients) {
		smtp_refuse(s, s->t.mail ? "503 RCPT first (#5.5.1)" : "503 MAIL first (#5.5.1)");
		return;
	}
	if (!s->ops->begin(s->ctx, s)) {
		smtp_transaction_reset(s);
		smtp_refuse(s, "451 qqt failure (#4.3.0)");
		return;
	}
	s->t.queue_open = true;
	s->in_data = true;
	give_received_line(s);
	smtp_reply(s, "354 go ahead");
}

/* A message that will not be accepted anyway takes no more room in the queue; its data is read to the end. */
static void give_up(struct smtp_session *s)
{
	if (s->t.queue_open)
		s->ops->cancel(s->ctx);
	s->t.queue_open = false;
}

static void store(struct smtp_session *s)
{
	struct smtp_transaction *t = &s->t;
	struct str data = buf_str(&s->decoded);
	uint64_t limit = s->settings->databytes;

	t->bytes += data.n;
	hopcount_feed(&t->hops, data);
	t->too_big |= limit && t->bytes > limit;
	if (t->too_big || t->hops.hops >= HOPCOUNT_MAX)
		give_up(s);
	if (t->queue_open && data.n)
		s->ops->content(s->ctx, data);
}

static void accepted(struct smtp_session *s, const struct submit_result *r)
{
	struct buf text = BUF_INIT(64);

	s->counts.messages++;
	s->counts.recipients += s->t.nrecipients;
	s->counts.bytes += s->t.bytes;
	s->errors = s->idle = 0;
	buf_addu(&text, r->message ? r->message : (uint64_t)r->qp);
	s->ops->note(s->ctx, s, SMTP_NOTE_ACCEPTED, buf_str(&text));
	buf_clear(&text);
	buf_addf(&text, "250 ok %lld qp %ld", (long long)s->ops->now(s->ctx), (long)r->qp);
	smtp_reply(s, buf_cstr(&text));
	buf_free(&text);
}

static void rejected(struct smtp_session *s, const char *code, struct str reason)
{
	struct buf text = BUF_INIT(1024);

	buf_addz(&text, code);
	/* The queue's text may come from a filter program. */
	for (size_t i = 0; i < reason.n; i++)
		buf_addc(&text, (unsigned char)reason.p[i] < 32 || reason.p[i] == 127 ? '?' : reason.p[i]);
	s->ops->note(s->ctx, s, SMTP_NOTE_FAILED, buf_str(&text));
	smtp_refuse(s, buf_cstr(&text));
	buf_free(&text);
}

static void end_of_data(struct smtp_session *s)
{
	struct submit_result r = { 0 };

	s->in_data = false;
	if (s->t.hops.hops >= HOPCOUNT_MAX) {
		rejected(s, "554 ", STR("too many hops, this message is looping (#5.4.6)"));
	} else if (s->t.too_big) {
		rejected(s, "552 ", STR("sorry, that message size exceeds my databytes limit (#5.3.4)"));
	} else {
		s->t.queue_open = false;
		if (s->ops->commit(s->ctx, s, &r))
			accepted(s, &r);
		else
			rejected(s, r.letter == 'D' ? "554 " : "451 ", str_of(r.text));
	}
	smtp_transaction_reset(s);
}

void smtp_data_input(struct smtp_session *s, struct str *input)
{
	struct str piece = str_head(*input, SMTP_DATA_PIECE), rest = piece;

	buf_clear(&s->decoded);
	s->t.state = smtpdata_decode(s->t.state, &rest, &s->decoded);
	*input = str_from(*input, piece.n - rest.n);
	if (s->t.state == SMTPDATA_BARE_LF) {
		smtp_end_bare_lf(s);
		return;
	}
	store(s);
	if (s->t.state == SMTPDATA_END)
		end_of_data(s);
}

/*
 * session_qmtp: the same session, speaking QMTP (contract §16.1).
 *
 * A message is three netstrings: the content with CR LF at the end of lines, as the CR in front announces; the sender;
 * and one made of the recipients'. Nothing is said before, and one reply for each recipient after it. So content is
 * what goes first, and its exact length must be known.
 */
#include "smtpclient/clientsession_internal.h"
#include "smtpclient/qmtpreply.h"

static void put_netstring(struct buf *out, struct str s)
{
	buf_addu(out, s.n);
	buf_addc(out, ':');
	buf_add(out, s);
	buf_addc(out, ',');
}

static void put_qmtp_address(struct buf *out, struct str address)
{
	struct buf ascii = BUF_INIT(5000);

	session_add_ascii(&ascii, address);
	put_netstring(out, buf_str(&ascii));
	buf_free(&ascii);
}

bool session_qmtp_ask(struct session *s, struct transaction *t)
{
	if (t->partial)
		transaction_record_set(&t->message, 'D', STR(TRANSACTION_PARTIAL));
	else if (!t->exact)
		transaction_record_set(&t->message, 'Z', STR("Unable to read message. (#4.3.0)\n"));
	if (t->message.letter)
		return false;
	t->asked = true;
	t->end = t->nrecipients;
	for (size_t i = session_skip_unsendable(t, 0); i < t->end; i = session_skip_unsendable(t, i + 1)) {
		transaction_record_set(&t->rcpt[i], 'r', STR(""));
		t->accepted++;
	}
	buf_addu(&s->out, t->wire_size + 1);
	buf_addz(&s->out, ":\r");
	s->dots = DOTSTUFF_BARE;
	t->chunk_left = t->wire_size;
	t->body = TRANSACTION_BODY_WANTED;
	t->stage = TRANSACTION_BODY;
	return true;
}

void session_qmtp_envelope(struct session *s, const struct transaction *t)
{
	struct buf recipients = BUF_INIT(SESSION_OUT_MAX);

	buf_addc(&s->out, ',');
	put_qmtp_address(&s->out, t->sender);
	for (size_t i = 0; i < t->nrecipients; i++)
		if (t->rcpt[i].letter == 'r')
			put_qmtp_address(&recipients, t->recipients[i]);
	put_netstring(&s->out, buf_str(&recipients));
	buf_free(&recipients);
}

void session_qmtp_input(struct session *s, struct str bytes)
{
	while (bytes.n && s->stage != SESSION_BROKEN) {
		switch (qmtpreply_feed(&s->qmtp, &bytes, &s->reply.text)) {
		case QMTPREPLY_MORE:
			return;
		case QMTPREPLY_BAD:
			session_end_confused(s);
			return;
		case QMTPREPLY_COMPLETE:
			s->replies++;
			buf_truncate(&s->reply.text, QMTPREPLY_KEEP - 1);
			if (s->reply.text.n == 0 || s->reply.text.p[s->reply.text.n - 1] != '\n')
				buf_addc(&s->reply.text, '\n');
			if (s->current == NULL)
				session_end_confused(s);
			else
				session_on_reply(s, s->qmtp.letter == 'K' ? 250 : s->qmtp.letter == 'Z' ? 450 : 550);
		}
	}
}

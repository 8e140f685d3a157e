/* session_transaction: a transaction within a session, from its first command to its last reply. */
#include <assert.h>
#include <inttypes.h>

#include "smtpclient/clientsession_internal.h"

/* A chunk up to this size goes out with the envelope, before it is known whether anybody may have it. */
#define CHUNK_AHEAD 65536

/* The next recipient that the server said yes to, from i on. */
static size_t skip_refused(const struct transaction *t, size_t i)
{
	while (i < t->nrecipients && t->rcpt[i].letter != 'r')
		i++;
	return i;
}

/* Writes the command whose reply comes next. */
static void put_next(struct session *s, struct transaction *t)
{
	switch (t->stage) {
	case TRANSACTION_RESET:
		buf_addz(&s->out, "RSET\r\n");
		break;
	case TRANSACTION_MAIL:
		session_put_mail(s, t);
		break;
	case TRANSACTION_RCPT:
		session_put_rcpt(s, t, t->next_rcpt);
		break;
	case TRANSACTION_DATA:
		buf_addz(&s->out, "DATA\r\n");
		break;
	default:
		break;
	}
}

/* The content as one chunk (RFC 3030); the caller is asked for it. */
static void put_chunk(struct session *s, struct transaction *t)
{
	buf_addf(&s->out, "BDAT %" PRIu64 " LAST\r\n", t->wire_size);
	s->dots = DOTSTUFF_BARE;
	t->chunk_left = t->wire_size;
	t->body = TRANSACTION_BODY_WANTED;
}

static void put_envelope(struct session *s, struct transaction *t)
{
	if (t->stage == TRANSACTION_RESET)
		buf_addz(&s->out, "RSET\r\n");
	session_put_mail(s, t);
	for (size_t i = t->next_rcpt; i < t->end; i = session_skip_unsendable(t, i + 1))
		session_put_rcpt(s, t, i);
	if (!t->chunk)
		buf_addz(&s->out, "DATA\r\n");
	else if (t->wire_size <= CHUNK_AHEAD)
		put_chunk(s, t);
}

/* The current transaction is done; the next one's turn. */
static void done(struct session *s)
{
	s->current->stage = TRANSACTION_DONE;
	s->messages++;
	s->current = s->next;
	s->next = NULL;
	if (s->out_of_step)
		session_end(s, "Connected to ", " but connection died. (#4.4.2)\n", false);
	else if (s->current && !s->current->asked && s->stage == SESSION_READY)
		session_ask(s, s->current);
}

/* A transaction, the current one or the next, ends without a word to the server. */
static void drop(struct session *s, struct transaction *t)
{
	if (t == s->current) {
		done(s);
		return;
	}
	t->stage = TRANSACTION_DONE;
	s->next = NULL;
}

void session_ask(struct session *s, struct transaction *t)
{
	if (s->policy.qmtp) {
		if (!session_qmtp_ask(s, t))
			drop(s, t);
		return;
	}
	if (session_needs_utf8(s, t)) {
		session_report(s, &t->message, 'D', "Connected to ",
			       " but it takes no internationalized addresses. (#5.6.7)\n", false);
		drop(s, t);
		return;
	}
	t->asked = true;
	session_note_domains(s, t);
	t->wishes_told = t->wishes && s->ehlo.dsn;
	t->chunk = s->ehlo.chunking && !s->policy.no_chunking && t->exact && t->wire_size;
	/* What becomes of a chunk that perhaps nobody may have is not known yet: the server may keep its envelope. */
	t->stage = s->must_reset || (t == s->next && s->current->chunk) ? TRANSACTION_RESET : TRANSACTION_MAIL;
	t->next_rcpt = session_skip_unsendable(t, 0);
	t->end = session_end_of_envelope(s, t);
	s->must_reset = false;
	if (s->ehlo.pipelining)
		put_envelope(s, t);
	else
		put_next(s, t);
}

bool session_takes(const struct session *s, bool ahead)
{
	if (s->stage == SESSION_BROKEN || (s->ehlo.mail_max && s->begun >= s->ehlo.mail_max))
		return false;
	if (s->current == NULL)
		return true;
	return ahead && s->next == NULL && s->stage == SESSION_READY && s->ehlo.pipelining &&
	       s->current->body != TRANSACTION_BODY_NOT_YET && !s->out_of_step;
}

/* Gives records to what cannot be sent; true when something is left to send. */
static bool check_addresses(struct transaction *t)
{
	size_t good = 0;

	if (!transaction_address_valid(t->sender)) {
		transaction_record_set(&t->message, 'D',
				       STR("The sender's address cannot be sent by SMTP. (#5.1.7)\n"));
		return false;
	}
	for (size_t i = 0; i < t->nrecipients; i++) {
		if (transaction_address_valid(t->recipients[i]))
			good++;
		else
			transaction_record_set(&t->rcpt[i], 'h',
					       STR("This address cannot be sent by SMTP. (#5.1.3)\n"));
	}
	if (good == 0)
		transaction_record_set(&t->message, 'D', STR(""));
	return good > 0;
}

void session_begin(struct session *s, struct transaction *t)
{
	assert(session_takes(s, true) && t->stage == TRANSACTION_NEW);
	if (!check_addresses(t)) {
		t->stage = TRANSACTION_DONE;
		return;
	}
	s->begun++;
	if (s->current == NULL) {
		s->current = t;
		if (s->stage == SESSION_READY)
			session_ask(s, t);
		return;
	}
	s->next = t;
	if (s->current->body == TRANSACTION_BODY_SENT)
		session_ask(s, t);
}

const struct transaction *session_wants_content(const struct session *s)
{
	if (s->current && s->current->body == TRANSACTION_BODY_WANTED)
		return s->current;
	return s->next && s->next->body == TRANSACTION_BODY_WANTED ? s->next : NULL;
}

static struct transaction *wanting(struct session *s)
{
	const struct transaction *t = session_wants_content(s);

	assert(t);
	return t == s->current ? s->current : s->next;
}

/* The server waits for content that does not come. */
static void abort_content(struct session *s, struct transaction *t)
{
	s->out_of_step = true;
	drop(s, t);
}

void session_content_failed(struct session *s)
{
	struct transaction *t = wanting(s);

	transaction_record_set(&t->message, 'Z', STR("Unable to read message. (#4.3.0)\n"));
	abort_content(s, t);
}

void session_content(struct session *s, struct str piece)
{
	struct transaction *t = wanting(s);
	size_t before = s->out.n;

	dotstuff_add(&s->dots, piece, &s->out);
	if (!t->chunk && !s->policy.qmtp)
		return;
	if (s->out.n - before > t->chunk_left) {
		buf_truncate(&s->out, before);
		session_content_failed(s);
		return;
	}
	t->chunk_left -= s->out.n - before;
}

/* All of it is written; what is due now is the verdict. */
static void await_verdict(struct session *s, struct transaction *t)
{
	t->body = TRANSACTION_BODY_SENT;
	t->end_at = s->written + s->out.n;
	if (t->stage != TRANSACTION_BODY)
		return;
	t->stage = TRANSACTION_DOT;
	t->next_rcpt = skip_refused(t, 0);
}

void session_content_end(struct session *s)
{
	struct transaction *t = wanting(s);

	if ((t->chunk || s->policy.qmtp) && t->chunk_left) {
		session_content_failed(s);
		return;
	}
	if (!dotstuff_end(&s->dots, &s->out)) {
		transaction_record_set(&t->message, 'D', STR(TRANSACTION_PARTIAL));
		abort_content(s, t);
		return;
	}
	if (s->policy.qmtp)
		session_qmtp_envelope(s, t);
	await_verdict(s, t);
	if (t == s->current && s->next)
		session_ask(s, s->next);
}

static char letter_of(int code)
{
	return code >= 500 ? 'D' : 'Z';
}

/* A server that wants none of the recipients. */
static void give_up(struct session *s, struct transaction *t)
{
	session_report(s, &t->message, 'D', "Giving up on ", ".\n", false);
	s->must_reset = true;
	done(s);
}

/* A parameter that it offers to understand (RFC 5321 §4.1.1.11). */
static bool parameter_refused(const struct session *s, int code)
{
	return (code == 504 || code == 555) && (s->ehlo.size || s->ehlo.eightbitmime || s->ehlo.dsn);
}

static void on_mail(struct session *s, struct transaction *t, int code)
{
	if (code >= 300 && code < 400) {
		session_end_confused(s);
		return;
	}
	if (parameter_refused(s, code)) {
		session_end(s, "Connected to ", " but it refused what it offers.\n", true);
		s->parameters_failed = true;
		s->chunking_failed = s->pipelining_failed = false;
		return;
	}
	t->stage = TRANSACTION_RCPT;
	if (code >= 400) {
		session_report(s, &t->message, letter_of(code), "Connected to ", " but sender was rejected.\n", true);
		t->refused = true;
		if (!s->ehlo.pipelining) {
			done(s);
			return;
		}
	}
	if (!s->ehlo.pipelining)
		put_next(s, t);
}

/* All recipients were asked for, and the content is to go as a chunk. */
static void chunk_is_due(struct session *s, struct transaction *t)
{
	if (t->body == TRANSACTION_BODY_NOT_YET && t->refused) {
		s->must_reset = true;
		done(s);
		return;
	}
	if (t->body == TRANSACTION_BODY_NOT_YET && t->accepted == 0) {
		give_up(s, t);
		return;
	}
	if (t->accepted == 0 && !t->refused)
		session_report(s, &t->message, 'D', "Giving up on ", ".\n", false);
	if (t->body == TRANSACTION_BODY_NOT_YET)
		put_chunk(s, t);
	t->stage = t->body == TRANSACTION_BODY_SENT ? TRANSACTION_DOT : TRANSACTION_BODY;
	t->next_rcpt = skip_refused(t, 0);
}

static void end_of_envelope(struct session *s, struct transaction *t)
{
	if (t->chunk) {
		chunk_is_due(s, t);
		return;
	}
	t->stage = TRANSACTION_DATA;
	if (s->ehlo.pipelining)
		return;
	if (t->accepted == 0)
		give_up(s, t);
	else
		put_next(s, t);
}

static void on_rcpt(struct session *s, struct transaction *t, int code)
{
	struct transaction_record *r = &t->rcpt[t->next_rcpt];

	if (code >= 300 && code < 400) {
		session_end_confused(s);
		return;
	}
	if (!t->refused) {
		if (code < 300) {
			transaction_record_set(r, 'r', STR(""));
			t->accepted++;
		} else if (code == 452 && t->may_split && t->accepted > 0) {
			/* RFC 5321 §4.5.3.1.10: so many and no more. */
			if (s->rcpt_max == 0 || t->accepted < s->rcpt_max)
				s->rcpt_max = t->accepted;
		} else {
			session_report(s, r, code >= 500 ? 'h' : 's', "", " does not like recipient.\n", true);
		}
	}
	t->next_rcpt = session_skip_unsendable(t, t->next_rcpt + 1);
	if (t->next_rcpt == t->end)
		end_of_envelope(s, t);
	else if (!s->ehlo.pipelining)
		put_next(s, t);
}

static void on_data(struct session *s, struct transaction *t, int code)
{
	if (code < 300 || (code < 400 && t->refused)) {
		session_end_confused(s);
	} else if (code < 400) {
		s->dots = DOTSTUFF_INIT;
		t->stage = TRANSACTION_BODY;
		t->body = TRANSACTION_BODY_WANTED;
		if (t->accepted == 0) {
			/* RFC 2920 §3.1: with no recipient left the message is ended at once. */
			session_report(s, &t->message, 'D', "Giving up on ", ".\n", false);
			buf_addz(&s->out, ".\r\n");
			await_verdict(s, t);
		}
	} else if (t->refused) {
		s->must_reset = true;
		done(s);
	} else if (t->accepted == 0) {
		give_up(s, t);
	} else {
		session_report(s, &t->message, letter_of(code), "", " failed on DATA command.\n", true);
		s->must_reset = true;
		done(s);
	}
}

/* RFC 2033 §4.2, and QMTP: a reply for each accepted recipient. */
static void on_lmtp_dot(struct session *s, struct transaction *t, int code)
{
	struct transaction_record *r = &t->rcpt[t->next_rcpt];

	if (code < 300 && t->message.letter != 'K')
		session_report(s, &t->message, 'K', "", " accepted message.\n", true);
	else if (code >= 400)
		session_report(s, r, code >= 500 ? 'h' : 's', "", " failed after I sent the message.\n", true);
	t->next_rcpt = skip_refused(t, t->next_rcpt + 1);
	if (t->next_rcpt < t->nrecipients)
		return;
	if (t->message.letter == 0)
		transaction_record_set(&t->message, 'D', STR(""));
	done(s);
}

/* A server that offers BDAT and does not know it, or not in the place where it belongs. */
static bool chunking_refused(const struct transaction *t, int code)
{
	return t->chunk && t->accepted > 0 && t->message.letter == 0 && code >= 500 && code <= 504;
}

static void end_without_chunking(struct session *s, struct transaction *t)
{
	session_end(s, "Connected to ", " but it refused BDAT, which it offers.\n", true);
	s->chunking_failed = true;
	t->try_another = true;
}

static void on_dot(struct session *s, struct transaction *t, int code)
{
	if (code >= 300 && code < 400) {
		session_end_confused(s);
		return;
	}
	if (chunking_refused(t, code)) {
		end_without_chunking(s, t);
		return;
	}
	s->must_reset |= t->chunk && code >= 400;
	if ((s->policy.lmtp || s->policy.qmtp) && t->accepted > 0) {
		on_lmtp_dot(s, t, code);
		return;
	}
	if (t->message.letter == 0 && code < 300)
		session_report(s, &t->message, 'K', "", " accepted message.\n", true);
	else if (t->message.letter == 0)
		session_report(s, &t->message, letter_of(code), "", " failed after I sent the message.\n", true);
	done(s);
}

/* A reply while content is under way: a refusal is its verdict, and the session is out of step then. */
static void on_body(struct session *s, struct transaction *t, int code)
{
	if (chunking_refused(t, code)) {
		end_without_chunking(s, t);
		return;
	}
	if (code >= 400) {
		if (t->message.letter == 0)
			session_report(s, &t->message, letter_of(code), "", " failed after I sent the message.\n",
				       true);
		done(s);
	}
	if (s->stage != SESSION_BROKEN)
		session_end_confused(s);
}

void session_on_reply(struct session *s, int code)
{
	struct transaction *t = s->current;

	t->replies++;
	switch (t->stage) {
	case TRANSACTION_RESET:
		if (code >= 300) {
			session_end_confused(s);
			return;
		}
		t->stage = TRANSACTION_MAIL;
		if (!s->ehlo.pipelining)
			put_next(s, t);
		break;
	case TRANSACTION_MAIL:
		on_mail(s, t, code);
		break;
	case TRANSACTION_RCPT:
		on_rcpt(s, t, code);
		break;
	case TRANSACTION_DATA:
		on_data(s, t, code);
		break;
	case TRANSACTION_BODY:
		on_body(s, t, code);
		break;
	case TRANSACTION_DOT:
		on_dot(s, t, code);
		break;
	default:
		session_end_confused(s);
	}
}

/* RFC 5321 §3.8: the server is about to close, whatever the question was. */
void session_on_closing(struct session *s)
{
	struct transaction *t = s->current;
	bool dot = t && t->stage == TRANSACTION_DOT;

	if (t)
		session_on_reply(s, 421);
	if (s->stage != SESSION_BROKEN)
		session_end(s, "Connected to ", " but connection died. (#4.4.2)\n", false);
	/* It said that it has not taken the message. */
	if (t && !dot)
		t->try_another = true;
	s->chunking_failed = s->pipelining_failed = false;
}

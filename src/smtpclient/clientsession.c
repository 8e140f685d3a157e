#include "smtpclient/clientsession.h"

#include <assert.h>
#include <stdio.h>

#include "smtpclient/clientauth.h"
#include "smtpclient/clientsession_internal.h"

void session_init(struct session *s, const char *peer, struct str helo)
{
	*s = (struct session){ .helo = helo, .out = BUF_INIT(SESSION_OUT_MAX) };
	snprintf(s->peer, sizeof s->peer, "%s", peer);
	smtpreply_init(&s->reply);
}

void session_init_policy(struct session *s, const char *peer, struct str helo, const struct session_policy *policy)
{
	session_init(s, peer, helo);
	s->policy = *policy;
	if (policy->wrapped)
		s->stage = SESSION_HANDSHAKE;
}

bool session_policy_eq(const struct session_policy *a, const struct session_policy *b)
{
	return a->tls == b->tls && a->wrapped == b->wrapped && a->lmtp == b->lmtp && a->anchors == b->anchors &&
	       a->problem == b->problem && (a->anchors == NULL || str_ieq(a->name, b->name)) &&
	       a->mechanisms == b->mechanisms && a->auth_in_clear == b->auth_in_clear && str_eq(a->user, b->user) &&
	       str_eq(a->password, b->password);
}

void session_free(struct session *s)
{
	buf_free(&s->out);
	smtpreply_free(&s->reply);
	s->current = s->next = NULL;
	s->stage = SESSION_BROKEN;
}

/* `format` has one %s, for the peer; `said`: the server's words follow. */
static void report(struct session *s, struct transaction_record *r, char letter, const char *before, const char *after,
		   bool said)
{
	struct buf text = BUF_INIT(TRANSACTION_TEXT_MAX);

	buf_addz(&text, before);
	buf_addz(&text, s->peer);
	buf_addz(&text, after);
	if (said) {
		buf_addz(&text, "Remote host said: ");
		buf_add(&text, buf_str(&s->reply.text));
	}
	transaction_record_set(r, letter, buf_str(&text));
	buf_free(&text);
}

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

static void put_envelope(struct session *s, struct transaction *t)
{
	if (t->stage == TRANSACTION_RESET)
		buf_addz(&s->out, "RSET\r\n");
	session_put_mail(s, t);
	for (size_t i = t->next_rcpt; i < t->end; i = session_skip_unsendable(t, i + 1))
		session_put_rcpt(s, t, i);
	buf_addz(&s->out, "DATA\r\n");
}

static void done(struct session *s);

static void ask(struct session *s, struct transaction *t)
{
	if (session_needs_utf8(s, t)) {
		report(s, &t->message, 'D', "Connected to ", " but it takes no internationalized addresses. (#5.6.7)\n",
		       false);
		done(s);
		return;
	}
	t->asked = true;
	t->stage = s->must_reset ? TRANSACTION_RESET : TRANSACTION_MAIL;
	t->next_rcpt = session_skip_unsendable(t, 0);
	t->end = session_end_of_envelope(s, t);
	s->must_reset = false;
	if (s->ehlo.pipelining)
		put_envelope(s, t);
	else
		put_next(s, t);
}

/* The current transaction is done; the next one's turn. */
static void done(struct session *s)
{
	s->current->stage = TRANSACTION_DONE;
	s->messages++;
	s->current = s->next;
	s->next = NULL;
	if (s->current && !s->current->asked && s->stage == SESSION_READY)
		ask(s, s->current);
}

/* Nothing more can be learnt from the server. Transactions without a report get this one. */
static void end_session(struct session *s, const char *before, const char *after, bool said)
{
	struct transaction *all[] = { s->current, s->next };

	s->stage = SESSION_BROKEN;
	s->current = s->next = NULL;
	buf_clear(&s->out);
	for (size_t i = 0; i < 2; i++) {
		struct transaction *t = all[i];

		if (t == NULL)
			continue;
		if (t->message.letter == 0)
			report(s, &t->message, 'Z', before, after, said);
		t->try_another = t->stage != TRANSACTION_DOT;
		t->stage = TRANSACTION_DONE;
	}
}

static void end_confused(struct session *s)
{
	end_session(s, "Connected to ", " but its replies make no sense. (#4.5.0)\n", s->reply.text.n > 0);
}

void session_lost(struct session *s)
{
	struct transaction *t = s->current;
	bool dot = t && t->stage == TRANSACTION_DOT;

	/* A server that cannot speak TLS often hangs up on the first encrypted word. */
	if (s->stage == SESSION_HANDSHAKE || (s->secure && s->stage == SESSION_EHLO)) {
		session_tls_failed(s, "the connection ended");
		return;
	}
	/* The server cannot have a message whose final dot was not handed to the system. */
	if (dot && s->written < s->dot_at) {
		t->stage = TRANSACTION_BODY;
		dot = false;
	}
	end_session(s, "Connected to ",
		    dot ? " but connection died. Possible duplicate! (#4.4.2)\n" : " but connection died. (#4.4.2)\n",
		    false);
}

bool session_takes(const struct session *s, bool ahead)
{
	if (s->stage == SESSION_BROKEN)
		return false;
	if (s->current == NULL)
		return true;
	return ahead && s->next == NULL && s->stage == SESSION_READY && s->ehlo.pipelining &&
	       (s->current->stage == TRANSACTION_BODY || s->current->stage == TRANSACTION_DOT);
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
	if (s->current == NULL) {
		s->current = t;
		if (s->stage == SESSION_READY)
			ask(s, t);
		return;
	}
	s->next = t;
	if (s->current->stage == TRANSACTION_DOT)
		ask(s, t);
}

bool session_wants_content(const struct session *s)
{
	return s->current && s->current->stage == TRANSACTION_BODY;
}

void session_content(struct session *s, struct str piece)
{
	assert(session_wants_content(s));
	dotstuff_add(&s->dots, piece, &s->out);
}

void session_content_end(struct session *s)
{
	struct transaction *t = s->current;

	assert(session_wants_content(s));
	if (!dotstuff_end(&s->dots, &s->out)) {
		transaction_record_set(&t->message, 'D',
				       STR("SMTP cannot transfer messages with partial final lines. (#5.6.2)\n"));
		done(s);
		end_session(s, "Connected to ", " but connection died. (#4.4.2)\n", false);
		return;
	}
	t->stage = TRANSACTION_DOT;
	t->next_rcpt = skip_refused(t, 0);
	s->dot_at = s->written + s->out.n;
	if (s->next)
		ask(s, s->next);
}

void session_content_failed(struct session *s)
{
	assert(session_wants_content(s));
	transaction_record_set(&s->current->message, 'Z', STR("Unable to read message. (#4.3.0)\n"));
	done(s);
	end_session(s, "Connected to ", " but connection died. (#4.4.2)\n", false);
}

void session_wrote(struct session *s, size_t n)
{
	buf_consume(&s->out, n);
	s->written += n;
}

void session_quit(struct session *s)
{
	if (s->stage != SESSION_BROKEN)
		buf_addz(&s->out, "QUIT\r\n");
	s->stage = SESSION_BROKEN;
}

static char letter_of(int code)
{
	return code >= 500 ? 'D' : 'Z';
}

/* A server that wants none of the recipients. */
static void give_up(struct session *s, struct transaction *t)
{
	report(s, &t->message, 'D', "Giving up on ", ".\n", false);
	s->must_reset = true;
	done(s);
}

static void on_mail(struct session *s, struct transaction *t, int code)
{
	if (code >= 300 && code < 400) {
		end_confused(s);
		return;
	}
	t->stage = TRANSACTION_RCPT;
	if (code >= 400) {
		report(s, &t->message, letter_of(code), "Connected to ", " but sender was rejected.\n", true);
		t->refused = true;
		if (!s->ehlo.pipelining) {
			done(s);
			return;
		}
	}
	if (!s->ehlo.pipelining)
		put_next(s, t);
}

static void on_rcpt(struct session *s, struct transaction *t, int code)
{
	struct transaction_record *r = &t->rcpt[t->next_rcpt];

	if (code >= 300 && code < 400) {
		end_confused(s);
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
			report(s, r, code >= 500 ? 'h' : 's', "", " does not like recipient.\n", true);
		}
	}
	t->next_rcpt = session_skip_unsendable(t, t->next_rcpt + 1);
	if (t->next_rcpt == t->end)
		t->stage = TRANSACTION_DATA;
	if (s->ehlo.pipelining)
		return;
	if (t->stage == TRANSACTION_DATA && t->accepted == 0)
		give_up(s, t);
	else
		put_next(s, t);
}

static void on_data(struct session *s, struct transaction *t, int code)
{
	if (code < 300 || (code < 400 && t->refused)) {
		end_confused(s);
	} else if (code < 400) {
		s->dots = DOTSTUFF_INIT;
		t->stage = TRANSACTION_BODY;
		if (t->accepted == 0) {
			/* RFC 2920 §3.1: with no recipient left the message is ended at once. */
			report(s, &t->message, 'D', "Giving up on ", ".\n", false);
			buf_addz(&s->out, ".\r\n");
			t->stage = TRANSACTION_DOT;
			s->dot_at = s->written + s->out.n;
		}
	} else if (t->refused) {
		s->must_reset = true;
		done(s);
	} else if (t->accepted == 0) {
		give_up(s, t);
	} else {
		report(s, &t->message, letter_of(code), "", " failed on DATA command.\n", true);
		s->must_reset = true;
		done(s);
	}
}

/* RFC 2033 §4.2: a reply for each accepted recipient. */
static void on_lmtp_dot(struct session *s, struct transaction *t, int code)
{
	struct transaction_record *r = &t->rcpt[t->next_rcpt];

	if (code < 300 && t->message.letter != 'K')
		report(s, &t->message, 'K', "", " accepted message.\n", true);
	else if (code >= 400)
		report(s, r, code >= 500 ? 'h' : 's', "", " failed after I sent the message.\n", true);
	t->next_rcpt = skip_refused(t, t->next_rcpt + 1);
	if (t->next_rcpt < t->nrecipients)
		return;
	if (t->message.letter == 0)
		transaction_record_set(&t->message, 'D', STR(""));
	done(s);
}

static void on_dot(struct session *s, struct transaction *t, int code)
{
	if (code >= 300 && code < 400) {
		end_confused(s);
		return;
	}
	if (s->policy.lmtp && t->accepted > 0) {
		on_lmtp_dot(s, t, code);
		return;
	}
	if (t->message.letter == 0 && code < 300)
		report(s, &t->message, 'K', "", " accepted message.\n", true);
	else if (t->message.letter == 0)
		report(s, &t->message, letter_of(code), "", " failed after I sent the message.\n", true);
	done(s);
}

/* A reply while content is under way: a refusal is its verdict, and the session is out of step then. */
static void on_body(struct session *s, struct transaction *t, int code)
{
	if (code >= 400) {
		report(s, &t->message, letter_of(code), "", " failed after I sent the message.\n", true);
		done(s);
	}
	end_confused(s);
}

static void on_transaction_reply(struct session *s, int code)
{
	struct transaction *t = s->current;

	t->replies++;
	switch (t->stage) {
	case TRANSACTION_RESET:
		if (code >= 300) {
			end_confused(s);
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
		end_confused(s);
	}
}

/* RFC 5321 §3.8: the server is about to close, whatever the question was. */
static void on_closing(struct session *s)
{
	struct transaction *t = s->current;
	bool dot = t && t->stage == TRANSACTION_DOT;

	if (t)
		on_transaction_reply(s, 421);
	if (t && !dot)
		t->try_another = true;
	if (s->stage != SESSION_BROKEN)
		end_session(s, "Connected to ", " but connection died. (#4.4.2)\n", false);
}

static void on_ready(struct session *s)
{
	s->stage = SESSION_READY;
	if (s->current)
		ask(s, s->current);
}

static void put_hello(struct session *s, const char *verb)
{
	buf_addz(&s->out, verb);
	buf_add(&s->out, s->helo);
	buf_addz(&s->out, "\r\n");
}

/* The server's name is known to it, TLS is settled. */
static void authenticate(struct session *s)
{
	if (s->policy.user.n == 0) {
		on_ready(s);
		return;
	}
	s->mechanism = auth_choose(s->ehlo.auth & s->policy.mechanisms, s->secure);
	s->auth_step = 0;
	if (s->mechanism == 0) {
		end_session(s, "Connected to ", " but it offers no way to authenticate that I may use. (#4.7.0)\n",
			    false);
	} else if (!s->secure && !s->policy.auth_in_clear) {
		end_session(s, "Connected to ", " but without TLS I do not send the password. (#4.7.0)\n", false);
	} else {
		s->stage = SESSION_AUTH;
		auth_begin(s->mechanism, s->policy.user, s->policy.password, &s->out);
	}
}

static void on_auth(struct session *s, int code)
{
	if (code == 235)
		on_ready(s);
	else if (code != 334)
		end_session(s, "Connected to ", " but authentication failed. (#4.7.0)\n", true);
	else if (!auth_continue(s->mechanism, s->auth_step++, buf_str(&s->reply.text), s->policy.user,
				s->policy.password, &s->out))
		end_confused(s);
}

static void no_tls(struct session *s, bool said)
{
	end_session(s, "Connected to ", " but TLS is required and it does not offer it. (#4.7.10)\n", said);
}

static void on_ehlo(struct session *s)
{
	/* Whatever was offered without TLS is forgotten. */
	s->ehlo = ehlo_parse(buf_str(&s->reply.text));
	if (!s->secure && s->policy.tls != SESSION_TLS_NEVER && s->ehlo.starttls) {
		s->stage = SESSION_STARTTLS;
		buf_addz(&s->out, "STARTTLS\r\n");
	} else if (!s->secure && s->policy.tls == SESSION_TLS_MUST) {
		no_tls(s, false);
	} else {
		authenticate(s);
	}
}

static void on_starttls(struct session *s, int code)
{
	if (code == 220)
		s->stage = SESSION_HANDSHAKE;
	else if (s->policy.tls == SESSION_TLS_MUST)
		no_tls(s, true);
	else
		authenticate(s);
}

static void say_hello(struct session *s)
{
	s->stage = SESSION_EHLO;
	put_hello(s, s->policy.lmtp ? "LHLO " : "EHLO ");
}

void session_secured(struct session *s)
{
	assert(s->stage == SESSION_HANDSHAKE);
	s->secure = true;
	s->stage = SESSION_GREETING;
	if (!s->policy.wrapped)
		say_hello(s);
}

void session_tls_failed(struct session *s, const char *why)
{
	struct buf after = BUF_INIT(1000);

	buf_addf(&after, " but TLS failed: %s. (#4.7.5)\n", why);
	s->tls_failed = true;
	end_session(s, "Connected to ", buf_cstr(&after), false);
	buf_free(&after);
}

static void on_reply(struct session *s, int code)
{
	bool greeting_refused = s->stage == SESSION_GREETING && code >= 400 && code < 500;

	s->busy = greeting_refused || (s->stage < SESSION_READY && code == 421);
	switch (s->stage) {
	case SESSION_GREETING:
		if (code != 220) {
			end_session(s, "Connected to ", " but greeting failed.\n", true);
			return;
		}
		say_hello(s);
		break;
	case SESSION_EHLO:
		if (code == 250) {
			on_ehlo(s);
			return;
		}
		/* LMTP has no HELO, and one that we have to send a password or TLS to knows EHLO. */
		if (code < 500 || s->policy.lmtp || s->secure) {
			end_session(s, "Connected to ", " but my name was rejected.\n", true);
			return;
		}
		s->stage = SESSION_HELO;
		put_hello(s, "HELO ");
		break;
	case SESSION_HELO:
		s->ehlo = (struct ehlo){ 0 };
		if (code != 250)
			end_session(s, "Connected to ", " but my name was rejected.\n", true);
		else if (s->policy.tls == SESSION_TLS_MUST)
			no_tls(s, false);
		else
			authenticate(s);
		break;
	case SESSION_STARTTLS:
		on_starttls(s, code);
		break;
	case SESSION_AUTH:
		on_auth(s, code);
		break;
	case SESSION_HANDSHAKE:
		/* Bytes in clear text where TLS should begin: somebody on the way adds them. */
		end_confused(s);
		break;
	case SESSION_READY:
		if (code == 421)
			on_closing(s);
		else if (s->current)
			on_transaction_reply(s, code);
		else
			end_confused(s);
		break;
	case SESSION_BROKEN:
		break;
	}
}

void session_input(struct session *s, struct str bytes)
{
	while (bytes.n && s->stage != SESSION_BROKEN) {
		bool early = s->out.n > 0 && s->stage < SESSION_READY;

		switch (smtpreply_feed(&s->reply, &bytes)) {
		case SMTPREPLY_MORE:
			return;
		case SMTPREPLY_BAD:
			end_confused(s);
			return;
		case SMTPREPLY_COMPLETE:
			s->replies++;
			/* A reply to a command that was not sent yet. */
			if (early)
				end_confused(s);
			else
				on_reply(s, s->reply.code);
			if (s->stage == SESSION_HANDSHAKE && bytes.n)
				end_confused(s);
		}
	}
}

#include "smtpclient/clientsession.h"

#include <assert.h>
#include <stdio.h>

#include "smtpclient/clientauth.h"
#include "smtpclient/clientsession_internal.h"

void session_init(struct session *s, const char *peer, struct str helo)
{
	*s = (struct session){ .helo = helo, .out = BUF_INIT(SESSION_OUT_MAX), .domains = BUF_INIT(SESSION_OUT_MAX) };
	snprintf(s->peer, sizeof s->peer, "%s", peer);
	smtpreply_init(&s->reply);
}

void session_init_policy(struct session *s, const char *peer, struct str helo, const struct session_policy *policy)
{
	session_init(s, peer, helo);
	s->policy = *policy;
	if (policy->qmtp) {
		s->ehlo.pipelining = true;
		s->stage = SESSION_READY;
	}
	if (policy->wrapped)
		s->stage = SESSION_HANDSHAKE;
}

bool session_policy_eq(const struct session_policy *a, const struct session_policy *b)
{
	return a->tls == b->tls && a->wrapped == b->wrapped && a->lmtp == b->lmtp && a->qmtp == b->qmtp &&
	       a->anchors == b->anchors && a->problem == b->problem &&
	       (a->anchors == NULL || str_ieq(a->name, b->name)) && a->no_chunking == b->no_chunking &&
	       a->no_pipelining == b->no_pipelining && a->no_parameters == b->no_parameters &&
	       a->mechanisms == b->mechanisms && a->auth_in_clear == b->auth_in_clear && str_eq(a->user, b->user) &&
	       str_eq(a->password, b->password);
}

void session_free(struct session *s)
{
	buf_free(&s->out);
	buf_free(&s->domains);
	smtpreply_free(&s->reply);
	s->current = s->next = NULL;
	s->stage = SESSION_BROKEN;
}

void session_report(struct session *s, struct transaction_record *r, char letter, const char *before, const char *after,
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

/*
 * Can the server have taken the message, although it did not say so? A chunk may be ahead of the replies. Who hangs up
 * has answered everything before that was read; who is silent may have the answers ready, behind a long look at the
 * content.
 */
static bool perhaps_taken(const struct session *s, const struct transaction *t)
{
	bool all_written = t->body == TRANSACTION_BODY_SENT && s->written >= t->end_at;

	if (t->stage == TRANSACTION_DOT)
		return t->message.letter || all_written;
	return s->silent && all_written && !t->refused;
}

/*
 * Did the server stop amid commands that were sent together? There are some that offer PIPELINING and lose what comes
 * behind the first one. The first reply is no sign: kept sessions are closed there, for reasons of time.
 */
static bool stopped_amid(const struct session *s, const struct transaction *t)
{
	return s->ehlo.pipelining && !s->policy.qmtp && t->replies > 0 && t->stage < TRANSACTION_BODY;
}

/* Nothing more can be learnt from the server. Transactions without a report get this one. */
void session_end(struct session *s, const char *before, const char *after, bool said)
{
	struct transaction *all[] = { s->current, s->next };

	s->pipelining_failed |= s->current && stopped_amid(s, s->current);
	s->stage = SESSION_BROKEN;
	s->current = s->next = NULL;
	buf_clear(&s->out);
	for (size_t i = 0; i < 2; i++) {
		struct transaction *t = all[i];

		if (t == NULL)
			continue;
		s->chunking_failed |=
		    t->chunk && t->body != TRANSACTION_BODY_NOT_YET && (t->replies > 0 || s->messages == 0);
		t->try_another = !perhaps_taken(s, t);
		if (t->message.letter == 0)
			session_report(s, &t->message, 'Z', before, after, said);
		t->stage = TRANSACTION_DONE;
	}
}

void session_end_confused(struct session *s)
{
	session_end(s, "Connected to ", " but its replies make no sense. (#4.5.0)\n", s->reply.text.n > 0);
}

/* What the server owes us, in words. */
static const char *awaited(const struct session *s, const struct transaction *t)
{
	static const char *const by_session[SESSION_READY] = {
		[SESSION_GREETING] = "its greeting",   [SESSION_EHLO] = "its answer to EHLO",
		[SESSION_HELO] = "its answer to HELO", [SESSION_STARTTLS] = "its answer to STARTTLS",
		[SESSION_HANDSHAKE] = "TLS began",     [SESSION_AUTH] = "its answer to AUTH",
	};
	static const char *const by_transaction[TRANSACTION_DONE] = {
		[TRANSACTION_NEW] = "it was asked",
		[TRANSACTION_RESET] = "its answer to RSET",
		[TRANSACTION_MAIL] = "its answer to MAIL",
		[TRANSACTION_RCPT] = "its answer to RCPT",
		[TRANSACTION_DATA] = "its answer to DATA",
		[TRANSACTION_BODY] = "it had the whole message",
		[TRANSACTION_DOT] = "its answer to the message",
	};

	return s->stage < SESSION_READY ? by_session[s->stage] : by_transaction[t->stage];
}

static void report_lost(struct session *s, struct transaction *t)
{
	if (t == NULL)
		return;
	t->lost_before = awaited(s, t);
	t->late = s->silent;
	if (t->message.letter == 0 && perhaps_taken(s, t))
		session_report(s, &t->message, 'Z', "Connected to ",
			       " but connection died. Possible duplicate! (#4.4.2)\n", false);
}

void session_lost(struct session *s)
{
	/* A server that cannot speak TLS often hangs up on the first encrypted word. */
	if (s->stage == SESSION_HANDSHAKE || (s->secure && s->stage == SESSION_EHLO)) {
		session_tls_failed(s, "the connection ended");
		return;
	}
	report_lost(s, s->current);
	report_lost(s, s->next);
	session_end(s, "Connected to ", " but connection died. (#4.4.2)\n", false);
}

void session_late(struct session *s)
{
	s->silent = true;
	session_lost(s);
}

void session_wrote(struct session *s, size_t n)
{
	buf_consume(&s->out, n);
	s->written += n;
}

void session_quit(struct session *s)
{
	if (s->stage != SESSION_BROKEN && !s->policy.qmtp)
		buf_addz(&s->out, "QUIT\r\n");
	s->stage = SESSION_BROKEN;
}

static void on_ready(struct session *s)
{
	s->stage = SESSION_READY;
	if (s->current)
		session_ask(s, s->current);
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
		session_end(s, "Connected to ", " but it offers no way to authenticate that I may use. (#4.7.0)\n",
			    false);
	} else if (!s->secure && !s->policy.auth_in_clear) {
		session_end(s, "Connected to ", " but without TLS I do not send the password. (#4.7.0)\n", false);
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
		session_end(s, "Connected to ", " but authentication failed. (#4.7.0)\n", true);
	else if (!auth_continue(s->mechanism, s->auth_step++, buf_str(&s->reply.text), s->policy.user,
				s->policy.password, &s->out))
		session_end_confused(s);
}

static void no_tls(struct session *s, bool said)
{
	session_end(s, "Connected to ", " but TLS is required and it does not offer it. (#4.7.10)\n", said);
}

static void on_ehlo(struct session *s)
{
	/* Whatever was offered without TLS is forgotten. */
	s->ehlo = ehlo_parse(buf_str(&s->reply.text));
	if (s->policy.no_parameters)
		s->ehlo.size = s->ehlo.eightbitmime = s->ehlo.dsn = false;
	s->ehlo.pipelining &= !s->policy.no_pipelining;
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
	if (s->policy.qmtp) {
		on_ready(s);
		return;
	}
	s->stage = SESSION_GREETING;
	if (!s->policy.wrapped)
		say_hello(s);
}

void session_tls_failed(struct session *s, const char *why)
{
	struct buf after = BUF_INIT(1000);

	buf_addf(&after, " but TLS failed: %s. (#4.7.5)\n", why);
	s->tls_failed = true;
	session_end(s, "Connected to ", buf_cstr(&after), false);
	buf_free(&after);
}

static void on_reply(struct session *s, int code)
{
	bool greeting_refused = s->stage == SESSION_GREETING && code >= 400 && code < 500;

	s->busy = greeting_refused || (s->stage < SESSION_READY && code == 421);
	switch (s->stage) {
	case SESSION_GREETING:
		if (code != 220) {
			session_end(s, "Connected to ", " but greeting failed.\n", true);
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
			session_end(s, "Connected to ", " but my name was rejected.\n", true);
			return;
		}
		s->stage = SESSION_HELO;
		put_hello(s, "HELO ");
		break;
	case SESSION_HELO:
		s->ehlo = (struct ehlo){ 0 };
		if (code != 250)
			session_end(s, "Connected to ", " but my name was rejected.\n", true);
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
		session_end_confused(s);
		break;
	case SESSION_READY:
		if (code == 421)
			session_on_closing(s);
		else if (s->current)
			session_on_reply(s, code);
		else
			session_end_confused(s);
		break;
	case SESSION_BROKEN:
		break;
	}
}

void session_input(struct session *s, struct str bytes)
{
	if (s->policy.qmtp) {
		session_qmtp_input(s, bytes);
		return;
	}
	while (bytes.n && s->stage != SESSION_BROKEN) {
		bool early = s->out.n > 0 && s->stage < SESSION_READY;

		switch (smtpreply_feed(&s->reply, &bytes)) {
		case SMTPREPLY_MORE:
			return;
		case SMTPREPLY_BAD:
			session_end_confused(s);
			return;
		case SMTPREPLY_COMPLETE:
			s->replies++;
			/* A reply to a command that was not sent yet. */
			if (early)
				session_end_confused(s);
			else
				on_reply(s, s->reply.code);
			if (s->stage == SESSION_HANDSHAKE && bytes.n)
				session_end_confused(s);
		}
	}
}

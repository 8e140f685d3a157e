/*
 * A hostile server on a connection that may be or become one with TLS: the first byte chooses how we speak to it, the
 * rest is what it sends, with 0xff marking where the session may write in between.
 */
#include <assert.h>
#include <stdlib.h>

#include "smtpclient/sessionwire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct session_policy policy_of(uint8_t choice)
{
	struct session_policy p = { .tls = choice & 3 ? (enum session_tls)((choice & 3) - 1) : SESSION_TLS_MAY };

	p.wrapped = choice & 4;
	p.lmtp = (choice & 24) == 8;
	p.qmtp = (choice & 24) == 16;
	if (p.wrapped)
		p.tls = SESSION_TLS_MUST;
	else if (p.qmtp)
		p.tls = SESSION_TLS_NEVER;
	p.no_chunking = choice & 32;
	p.no_pipelining = p.no_parameters = choice & 64;
	p.auth_in_clear = choice & 64;
	p.name = STR("mx.test");
	if (choice & 128) {
		p.user = STR("user");
		p.password = STR("secret");
		p.mechanisms = EHLO_PLAIN | EHLO_LOGIN | EHLO_CRAM_MD5;
	}
	return p;
}

/* Once TLS is asked for, nothing of a message may be seen, and the password only when it may be. */
static void check_written(const struct sessionwire *w, struct str out)
{
	const struct session_policy *p = &w->s->policy;

	if (w->tls || p->tls == SESSION_TLS_MUST)
		assert(str_find(out, STR("RCPT TO")) == out.n && str_find(out, STR("hidden")) == out.n);
	if (w->tls || !p->auth_in_clear)
		assert(str_find(out, STR("AHVzZXIAc2VjcmV0")) == out.n && str_find(out, STR("c2VjcmV0")) == out.n);
}

static void turn(struct sessionwire *w, struct transaction *next)
{
	struct str out;

	if (next->stage == TRANSACTION_NEW && session_takes(w->s, true))
		session_begin(w->s, next);
	for (const struct transaction *t; (t = session_wants_content(w->s)) != NULL;) {
		session_content(w->s, STR("hidden\n"));
		if (session_wants_content(w->s) == t)
			session_content_end(w->s);
	}
	while ((out = sessionwire_out(w)).n) {
		check_written(w, out);
		sessionwire_wrote(w, out.n > 7 ? out.n - 3 : out.n);
	}
	assert(sessionwire_waiting(w) == 0 || w->s->stage == SESSION_HANDSHAKE || w->tls);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct str to[] = { { "a@h", 3 }, { "b@h", 3 } };
	static struct tls_context *context;
	struct str rest = { (const char *)data, size }, part;
	struct transaction t, next;
	struct session_policy policy = policy_of(size ? *data : 0);
	struct sessionwire w;
	struct session s;
	struct err e;

	if (context == NULL)
		context = tls_context_new(STR(""), STR(""), (struct hash_key){ 0 }, &e);
	session_init_policy(&s, "192.0.2.1", STR("me"), &policy);
	transaction_init(&t, STR("s@h"), to, 2);
	transaction_init(&next, STR(""), to, 1);
	t.wire_size = next.wire_size = 8;
	t.exact = next.exact = true;
	sessionwire_init(&w, &s, context, "192.0.2.1:25");
	session_begin(&s, &t);
	for (rest = str_from(rest, 1); rest.n && s.stage != SESSION_BROKEN;) {
		turn(&w, &next);
		str_cut(rest, (char)255, &part, &rest);
		sessionwire_input(&w, part);
	}
	turn(&w, &next);
	if (size % 2)
		sessionwire_late(&w);
	else
		sessionwire_lost(&w);
	assert(t.stage == TRANSACTION_DONE && s.stage == SESSION_BROKEN);
	assert(next.stage == TRANSACTION_NEW || next.stage == TRANSACTION_DONE);
	sessionwire_quit(&w);
	sessionwire_free(&w);
	session_free(&s);
	transaction_free(&t);
	transaction_free(&next);
	return 0;
}

#include "smtpclient/sessionwire.h"

#include <stdio.h>

#define SEAL_AT_ONCE 65536

/* What sessions must have in common to resume one another: the server, its name and what is demanded of it. */
static void make_resume_key(struct sessionwire *w, const char *server)
{
	const struct session_policy *p = &w->s->policy;

	snprintf(w->resume_key, sizeof w->resume_key, "%s %d%d%d %.*s %.100s", server, (int)p->tls, (int)p->wrapped,
		 p->anchors != NULL, STR_ARG(str_head(p->name, 255)), p->anchors ? "verified" : "");
}

static void begin_tls(struct sessionwire *w)
{
	const char *problem = w->context ? w->s->policy.problem : "it was not set up";
	struct tls_want want = { .anchors = w->s->policy.anchors,
				 .name = w->s->policy.name,
				 .resume_key = str_of(w->resume_key) };

	if (problem) {
		session_tls_failed(w->s, problem);
		return;
	}
	w->tls = tls_client_new(w->context, &want);
	if (tls_client_state(w->tls) == TLS_FAILED)
		session_tls_failed(w->s, tls_client_error(w->tls));
}

void sessionwire_init(struct sessionwire *w, struct session *s, struct tls_context *context, const char *server)
{
	*w = (struct sessionwire){ .s = s, .context = context };
	make_resume_key(w, server);
}

void sessionwire_free(struct sessionwire *w)
{
	tls_client_free(w->tls);
	w->tls = NULL;
}

struct str sessionwire_out(struct sessionwire *w)
{
	struct session *s = w->s;

	if (w->tls == NULL && s->stage == SESSION_HANDSHAKE)
		begin_tls(w);
	if (w->tls == NULL)
		return buf_str(&s->out);
	if (tls_client_wire(w->tls).n == 0 && s->secure && s->out.n) {
		struct str plain = str_head(buf_str(&s->out), SEAL_AT_ONCE);

		tls_client_send(w->tls, plain);
		w->sealed = plain.n;
	}
	return tls_client_wire(w->tls);
}

void sessionwire_wrote(struct sessionwire *w, size_t n)
{
	if (w->tls == NULL) {
		session_wrote(w->s, n);
		return;
	}
	tls_client_wrote(w->tls, n);
	if (tls_client_wire(w->tls).n || w->sealed == 0)
		return;
	/* The server cannot read a part of what was encrypted in one go before it has all of that part. */
	if (w->s->out.n >= w->sealed)
		session_wrote(w->s, w->sealed);
	w->sealed = 0;
}

static void take_plain(struct sessionwire *w)
{
	struct buf *plain = tls_client_plain(w->tls);

	if (plain->n && w->s->secure)
		session_input(w->s, buf_str(plain));
	buf_clear(plain);
}

static void tls_input(struct sessionwire *w, struct str bytes)
{
	struct session *s = w->s;

	tls_client_input(w->tls, bytes);
	if (s->stage == SESSION_HANDSHAKE && tls_client_state(w->tls) == TLS_OPEN)
		session_secured(s);
	take_plain(w);
	if (s->stage == SESSION_BROKEN)
		return;
	if (tls_client_state(w->tls) == TLS_FAILED && (s->stage == SESSION_HANDSHAKE || s->stage == SESSION_EHLO))
		session_tls_failed(s, tls_client_error(w->tls));
	else if (tls_client_state(w->tls) == TLS_FAILED || tls_client_state(w->tls) == TLS_CLOSED)
		session_lost(s);
}

void sessionwire_input(struct sessionwire *w, struct str bytes)
{
	if (w->tls)
		tls_input(w, bytes);
	else
		session_input(w->s, bytes);
}

void sessionwire_lost(struct sessionwire *w)
{
	session_lost(w->s);
}

void sessionwire_late(struct sessionwire *w)
{
	session_late(w->s);
}

void sessionwire_quit(struct sessionwire *w)
{
	session_quit(w->s);
	if (w->tls == NULL || tls_client_state(w->tls) != TLS_OPEN)
		return;
	sessionwire_out(w);
	tls_client_close(w->tls);
}

size_t sessionwire_waiting(const struct sessionwire *w)
{
	return w->s->out.n + (w->tls ? tls_client_wire(w->tls).n : 0);
}

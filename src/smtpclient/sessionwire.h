/*
 * sessionwire: an SMTP session with what it reads and writes on its
 * connection, in clear text or through TLS. Still without sockets:
 *
 *	sessionwire_init(&w, &session, tls_context, resume_key);
 *	write sessionwire_out, tell sessionwire_wrote;
 *	read, sessionwire_input; at the end of input sessionwire_lost.
 *
 * The handshake happens inside, when the session asks for it.
 */
#ifndef SMTPCLIENT_SESSIONWIRE_H
#define SMTPCLIENT_SESSIONWIRE_H

#include "smtpclient/clientsession.h"
#include "tls/tlsclient.h"

struct sessionwire {
	struct session *s;
	struct tls_context *context;
	char resume_key[400];
	struct tls_client *tls; /* NULL: clear text */
	size_t sealed;          /* bytes of s->out that are encrypted and not yet written in full */
};

/* `server`: its address and port, for the table of TLS sessions. `context` may be NULL where TLS is never used. */
void sessionwire_init(struct sessionwire *w, struct session *s, struct tls_context *context, const char *server);
/* The session stays. */
void sessionwire_free(struct sessionwire *w);

/* Valid until the next call; empty: nothing to write now. */
struct str sessionwire_out(struct sessionwire *w);
void sessionwire_wrote(struct sessionwire *w, size_t n);
void sessionwire_input(struct sessionwire *w, struct str bytes);
void sessionwire_lost(struct sessionwire *w);
/* Time is up. */
void sessionwire_late(struct sessionwire *w);

/* QUIT, and the end of TLS: what is to be written last. */
void sessionwire_quit(struct sessionwire *w);

/* Bytes that wait, of all kinds. */
size_t sessionwire_waiting(const struct sessionwire *w);

#endif

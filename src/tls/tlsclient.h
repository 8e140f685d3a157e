/*
 * tlsclient: the client's side of one TLS connection, without I/O.
 *
 *	c = tls_client_new(context, &want);
 *	until done:
 *		write c's wire bytes, tell tls_client_wrote;
 *		read, tls_client_input; what it decrypted is in tls_client_plain;
 *		tls_client_send encrypts.
 *
 * The server is not trusted: what it can make us keep is bounded, versions
 * before TLS 1.2 and renegotiation are refused.
 */
#ifndef TLS_TLSCLIENT_H
#define TLS_TLSCLIENT_H

#include "base/buf.h"
#include "tls/tlscontext.h"

struct tls_client;
struct ssl_session_st;

enum tls_state {
	TLS_HANDSHAKE,
	TLS_OPEN,
	TLS_CLOSED, /* the server said that it sends nothing more */
	TLS_FAILED, /* tls_client_error says why */
};

struct tls_want {
	/* Whom to trust; NULL: every certificate will do. Must outlive the connection. */
	const struct tls_anchors *anchors;
	/* The server's name or IP address: asked for, and what the certificate must be for. */
	struct str name;
	bool any_name; /* … only asked for: a certificate of somebody else will do */
	int depth;     /* authorities that may stand between, 0 and -1: as many as the library allows */
	/*
	 * Connections with the same key may resume each other's sessions. It must tell server, port and everything
	 * that a connection of this kind demands of the server.
	 */
	struct str resume_key;
};

/* Begins; the first bytes wait to be written. Copies what it needs of the views. */
struct tls_client *tls_client_new(struct tls_context *context, const struct tls_want *want);
/* NULL is allowed. */
void tls_client_free(struct tls_client *c);

enum tls_state tls_client_state(const struct tls_client *c);

/* Bytes from the server. Decrypted ones are appended to tls_client_plain. */
void tls_client_input(struct tls_client *c, struct str bytes);
struct buf *tls_client_plain(struct tls_client *c);

/* Encrypts; only while TLS_OPEN. */
void tls_client_send(struct tls_client *c, struct str plain);
/* Says that nothing more comes from us. */
void tls_client_close(struct tls_client *c);

/* What is to be written; valid until the next call for c. */
struct str tls_client_wire(const struct tls_client *c);
void tls_client_wrote(struct tls_client *c, size_t n);

/* Why it failed, in words. */
const char *tls_client_error(const struct tls_client *c);
bool tls_client_resumed(const struct tls_client *c);
/* Appends version and cipher: "TLSv1.3 TLS_AES_256_GCM_SHA384". */
void tls_client_describe(const struct tls_client *c, struct buf *to);

/* For tlscontext: the library has a session that may be resumed; 1: taken over. */
int tls_client_new_session(struct tls_client *c, struct ssl_session_st *session);

#endif

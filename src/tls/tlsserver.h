/*
 * tlsserver: the server's side of one TLS connection, without I/O.
 *
 *	s = tls_server_new(context);
 *	until done:
 *		read, tls_server_input; what it decrypted is in tls_server_plain;
 *		tls_server_send encrypts;
 *		write s's wire bytes, tell tls_server_wrote.
 *
 * Clients are strangers: what they can make us keep is bounded, versions
 * before TLS 1.2 and renegotiation are refused, and no certificate is asked for
 * unless tls_server_context_demand says so.
 */
#ifndef TLS_TLSSERVER_H
#define TLS_TLSSERVER_H

#include "base/buf.h"
#include "base/err.h"
#include "tls/tlscontext.h"

struct tls_server_context;
struct tls_server;

/*
 * What all connections of a service share. `certificate`: PEM of a key and a
 * chain; `ciphers`: OpenSSL's list for TLS 1.2, empty: its default. Opens no
 * file but OpenSSL's own configuration.
 */
struct tls_server_context *tls_server_context_new(struct str certificate, struct str ciphers, struct err *e);
/*
 * From now on clients must show a certificate from one of the `anchors`.
 * `named`: PEM of the authorities that they are told of; `depth`: how many
 * authorities may stand between, -1: as many as the library allows.
 */
bool tls_server_context_demand(struct tls_server_context *c, const struct tls_anchors *anchors, struct str named,
			       int depth, struct err *e);
/* After all its connections. NULL is allowed. */
void tls_server_context_free(struct tls_server_context *c);

enum tls_server_state {
	TLS_SERVER_HANDSHAKE,
	TLS_SERVER_OPEN,
	TLS_SERVER_CLOSED, /* the client said that it sends nothing more */
	TLS_SERVER_FAILED, /* tls_server_error says why */
};

struct tls_server *tls_server_new(const struct tls_server_context *context);
/* The client's certificate must be for this name as well; before the handshake. False: none can be. */
bool tls_server_expect(struct tls_server *s, struct str name);
/* NULL is allowed. */
void tls_server_free(struct tls_server *s);

enum tls_server_state tls_server_state(const struct tls_server *s);

/* Bytes from the client. Decrypted ones are appended to tls_server_plain. */
void tls_server_input(struct tls_server *s, struct str bytes);
struct buf *tls_server_plain(struct tls_server *s);

/* Encrypts; only while TLS_SERVER_OPEN or, for the rest of an answer, TLS_SERVER_CLOSED. */
void tls_server_send(struct tls_server *s, struct str plain);
/* Says that nothing more comes from us. */
void tls_server_close(struct tls_server *s);

/* What is to be written; valid until the next call for s. */
struct str tls_server_wire(const struct tls_server *s);
void tls_server_wrote(struct tls_server *s, size_t n);

/* Why it failed, in words. */
const char *tls_server_error(const struct tls_server *s);
/* Appends version and cipher: "TLSv1.3 TLS_AES_256_GCM_SHA384". */
void tls_server_describe(const struct tls_server *s, struct buf *to);

#endif

/* tls_internal: what the modules of this library share. */
#ifndef TLS_TLS_INTERNAL_H
#define TLS_TLS_INTERNAL_H

#include <openssl/ssl.h>

#include "tls/tlscontext.h"

#define TLS_SESSIONS 1024 /* a power of two; a session displaces the one in its place */

struct tls_saved {
	char *key; /* NULL: no session */
	size_t length;
	SSL_SESSION *session;
};

struct tls_context {
	SSL_CTX *ssl;
	struct hash_key key;
	struct tls_saved saved[TLS_SESSIONS];
};

struct tls_anchors {
	X509_STORE *store;
};

/* The session saved for a key, or NULL; stays the context's. */
SSL_SESSION *tls_saved_find(struct tls_context *c, struct str key);
/* Takes the session over. */
void tls_saved_put(struct tls_context *c, struct str key, SSL_SESSION *session);
void tls_saved_drop(struct tls_context *c, struct str key);

/* PEM of a key and a chain, to show to the other side. */
bool tls_use_certificate(SSL_CTX *ssl, struct str pem, struct err *e);

/* The subjects of the certificates in a PEM file; NULL: none. */
STACK_OF(X509_NAME) * tls_names(struct str pem);

/* The library's own connections. */
struct tls_server;
struct tls_client;
SSL *tls_server_ssl(const struct tls_server *s);
SSL *tls_client_ssl(const struct tls_client *c);

/* The first error in OpenSSL's queue, which is emptied: never NULL. */
const char *tls_error_text(void);

#endif

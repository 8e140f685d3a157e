/*
 * tlscontext: what all TLS connections of a sender share: the certificate we
 * show, the ciphers we accept, whom we trust, and the sessions that may be
 * resumed.
 *
 * Nothing here opens a file except tls_prepare, which reads OpenSSL's own
 * configuration, and tls_anchors_system.
 */
#ifndef TLS_TLSCONTEXT_H
#define TLS_TLSCONTEXT_H

#include "base/err.h"
#include "base/hash.h"
#include "base/str.h"

struct tls_context;
struct tls_anchors;

/* Sets up the library; to be called before the process gives up its rights. */
void tls_prepare(void);

/*
 * `certificate`: PEM of a key and a chain to show to servers that ask; empty:
 * none. `ciphers`: OpenSSL's list for TLS 1.2; empty: its default. `key` is a
 * secret for the table of sessions.
 */
struct tls_context *tls_context_new(struct str certificate, struct str ciphers, struct hash_key key, struct err *e);
/* After all its connections. NULL is allowed. */
void tls_context_free(struct tls_context *c);

/* The certification authorities in a PEM file. */
struct tls_anchors *tls_anchors_new(struct str pem, struct err *e);
/* Those that the system trusts. */
struct tls_anchors *tls_anchors_system(struct err *e);
void tls_anchors_free(struct tls_anchors *a);

#endif

/*
 * tlsdigest: keyed digests, for authentication.
 */
#ifndef TLS_TLSDIGEST_H
#define TLS_TLSDIGEST_H

#include "base/str.h"

#define TLS_MD5 16 /* bytes */
#define TLS_HMAC_MD5 16

/* RFC 2104. False where the system forbids MD5. */
bool tls_hmac_md5(struct str key, struct str data, unsigned char mac[TLS_HMAC_MD5]);

/* False where the system forbids MD5. */
bool tls_md5(struct str data, unsigned char digest[TLS_MD5]);

#endif

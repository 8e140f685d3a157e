/*
 * tlskey: private keys that are kept under a password.
 */
#ifndef TLS_TLSKEY_H
#define TLS_TLSKEY_H

#include "base/buf.h"
#include "base/err.h"

/*
 * Replaces *pem, a key with or without its certificates, by the same with the
 * key in the clear. A key that has no password stays as it is.
 */
bool tlskey_open(struct buf *pem, struct str password, struct err *e);

#endif

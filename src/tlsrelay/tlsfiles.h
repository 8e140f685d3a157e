/*
 * tlsfiles: the files with certificates and keys that sslserver and sslclient
 * are told of.
 */
#ifndef TLSRELAY_TLSFILES_H
#define TLSRELAY_TLSFILES_H

#include "base/buf.h"
#include "base/err.h"

#define TLSFILES_MAX (16u << 20)

/* Appends a file. False: "unable to read PATH: …". */
bool tlsfiles_add(const char *path, struct buf *pem, struct err *e);

/* Appends every file in a directory (CADIR), while the process may still read it. */
bool tlsfiles_add_directory(const char *path, struct buf *pem, struct err *e);

/* Opens the key in pem with the password on descriptor 3, which ends at a NUL and is closed; the password is wiped. */
bool tlsfiles_open_key(struct buf *pem, struct err *e);

/* The value of an environment variable that names a file; NULL: it is not set, or empty. */
const char *tlsfiles_setting(const char *name);

#endif

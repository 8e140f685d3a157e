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

/* The password of a key, with a NUL behind it, from descriptor 3, which is closed. */
bool tlsfiles_password(struct buf *password, struct err *e);

#endif

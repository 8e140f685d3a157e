/*
 * passwordhash: passwords as crypt(3) keeps them, and the digests of APOP.
 */
#ifndef PASSWORD_PASSWORDHASH_H
#define PASSWORD_PASSWORDHASH_H

#include "base/buf.h"
#include "base/err.h"

#define PASSWORD_MAX 500 /* bytes; longer ones are refused */

/* Appends a new hash: yescrypt, or SHA-512 where that is not known. */
bool password_hash(const char *password, struct buf *hash, struct err *e);

/*
 * Is it the password of this hash? A hash that is empty, locked ('!', '*') or
 * of a kind not known here is nobody's. Takes as long for all answers as
 * crypt(3) takes.
 */
bool password_matches(const char *password, const char *hash);

/* As long as a comparison takes, for names that do not exist. */
void password_waste_time(const char *password);

#endif

/*
 * quill_password: a new password from whoever sits there, or from a script.
 */
#ifndef QUILL_QUILL_PASSWORD_H
#define QUILL_QUILL_PASSWORD_H

#include "base/buf.h"
#include "base/err.h"

/*
 * At a terminal: asks twice, without showing it. Otherwise: the first line of
 * standard input. Empty: no password is wanted.
 */
bool quill_password_ask(const char *whose, struct buf *password, struct err *e);

#endif

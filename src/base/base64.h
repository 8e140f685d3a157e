/*
 * base64: RFC 4648 §4, in one line.
 */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/buf.h"

/* Appends the encoded form, with padding. */
void base64_encode(struct buf *out, struct str data);

/*
 * Appends what text stands for. False when it is not exactly base64 with
 * padding, or does not fit; some of it may have been appended.
 */
bool base64_decode(struct buf *out, struct str text);

#endif

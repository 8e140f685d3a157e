/*
 * xtext: values of the ESMTP parameters for delivery status notifications
 * (RFC 3461 §4): printable ASCII, everything else as "+" and two hexadecimal
 * digits.
 */
#ifndef MAIL_XTEXT_H
#define MAIL_XTEXT_H

#include "base/buf.h"

/* Appends s in its encoded form. */
void xtext_encode(struct buf *out, struct str s);

/*
 * Appends what text stands for. False when it is not exactly xtext (digits A
 * to F are upper case), or does not fit; some of it may have been appended.
 */
bool xtext_decode(struct buf *out, struct str text);

/*
 * The same for an address of type utf-8 (RFC 6533 §3): printable ASCII and
 * UTF-8 as they are, everything else as "\x{20AC}". Appends UTF-8.
 */
bool xtext_decode_utf8(struct buf *out, struct str text);

/* Is s well-formed UTF-8 (RFC 3629)? */
bool utf8_valid(struct str s);

#endif

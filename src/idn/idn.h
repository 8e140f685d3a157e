/*
 * idn: internationalised domain names (IDNA 2008, RFC 5891). DNS and servers
 * without SMTPUTF8 know them as A-labels: "bücher.example" is
 * "xn--bcher-kva.example".
 */
#ifndef IDN_IDN_H
#define IDN_IDN_H

#include "base/buf.h"

/* Are there bytes that only such names have? */
bool idn_needed(struct str domain);

/* Appends the domain with A-labels. False: it is no UTF-8 or no name that may exist; nothing is appended. */
bool idn_to_ascii(struct buf *out, struct str domain);

#endif

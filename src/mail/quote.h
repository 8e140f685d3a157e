/*
 * quote: envelope addresses in the form of SMTP commands and header fields.
 *
 * An address in our envelopes is plain: `a b@host`. On the wire and in header
 * fields its local part may need quotes: `"a b"@host` (RFC 5321 §4.1.2,
 * contract §4). The domain is never quoted.
 */
#ifndef MAIL_QUOTE_H
#define MAIL_QUOTE_H

#include "base/buf.h"

/* Is c an RFC 822 atom character? The dot is not, bytes from 128 on are not. */
bool quote_is_atom(char c);

/*
 * Must this local part be quoted? When it is empty, begins or ends with a
 * dot, has two dots in a row, or has a byte that is neither dot nor atom
 * character.
 */
bool quote_needed(struct str local);

/* Appends a local part, in quotes when they are needed (`\` before CR LF " \ there). */
void quote_local(struct buf *out, struct str local);

/*
 * Appends an address: split at its last '@', local part by quote_local,
 * domain as it is. Without '@' all of it is a local part. The empty address
 * (the sender of bounces) stays empty.
 */
void quote_address(struct buf *out, struct str address);

#endif

/*
 * ident: what a client's host says about who opened a connection (RFC 1413,
 * contract-companions §1.1). Worth what the host's word is worth.
 */
#ifndef UCSPI_IDENT_H
#define UCSPI_IDENT_H

#include "base/buf.h"
#include "listener/inetaddr.h"

#define IDENT_REPLY_MAX 257 /* bytes of a reply that are looked at */

/* Appends what stands behind the third colon of a reply, without blanks and CRs, up to LF. Pure. */
void ident_parse(struct str reply, struct buf *info);

/*
 * Asks the remote host, from the local address. False: no answer within
 * `seconds`. An answer that names nobody gives the empty text.
 */
bool ident_ask(const struct inetaddr *remote, const struct inetaddr *local, unsigned seconds, struct buf *info);

#endif

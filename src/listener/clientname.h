/*
 * clientname: the name of a client, from DNS, for the Received line and the log.
 */
#ifndef LISTENER_CLIENTNAME_H
#define LISTENER_CLIENTNAME_H

#include "base/buf.h"
#include "listener/inetaddr.h"

/*
 * "d.c.b.a.in-addr.arpa" (RFC 1035 §3.5) or the 32 nibbles below ip6.arpa
 * (RFC 3596 §2.5). Pure.
 */
void clientname_reverse(const struct inetaddr *a, struct buf *out);

/*
 * The first name (PTR) that leads back to the address (A, AAAA): what nobody
 * else can claim. "localhost" for loopback addresses, "unknown" when there is
 * none or DNS does not answer within a few seconds. Blocks.
 */
void clientname_find(const struct inetaddr *a, struct buf *out);

#endif

/*
 * dnsreverse: the names under which DNS has addresses. Pure.
 */
#ifndef DNS_DNSREVERSE_H
#define DNS_DNSREVERSE_H

#include "base/buf.h"

/*
 * Appends "d.c.b.a." (RFC 1035 §3.5) or 32 nibbles with dots (RFC 3596 §2.5), for the 4 or 16 bytes at ip; without
 * in-addr.arpa or ip6.arpa, so that lists of other zones can use it.
 */
void dns_add_reversed(const unsigned char *ip, bool v6, struct buf *out);

#endif

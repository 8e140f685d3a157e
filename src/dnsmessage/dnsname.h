/*
 * dnsname: domain names in DNS packets (RFC 1035 §3.1, §4.1.4).
 *
 * Packets come from anywhere; every length and pointer is checked. A name is
 * kept uncompressed and in lower case, so that equal names are equal bytes.
 */
#ifndef DNSMESSAGE_DNSNAME_H
#define DNSMESSAGE_DNSNAME_H

#include "base/buf.h"

#define DNSNAME_MAX 255

struct dnsname {
	uint8_t n; /* bytes used, the root label included; at least 1 in a valid name */
	unsigned char bytes[DNSNAME_MAX];
};

/*
 * Reads the name at *at of the packet and moves *at behind it. Pointers must
 * point backwards, before the place they stand at, so that there are no
 * loops, and a name has no more of them than it can have labels. False:
 * malformed.
 */
bool dnsname_read(struct str packet, size_t *at, struct dnsname *name);

bool dnsname_eq(const struct dnsname *a, const struct dnsname *b);
bool dnsname_is_root(const struct dnsname *name);

/*
 * Appends the name as text without a final dot, the root as the empty text.
 * Dots and backslashes in a label get a backslash, bytes that are not visible
 * ASCII become \DDD.
 */
void dnsname_text(const struct dnsname *name, struct buf *out);

/*
 * May this text be a domain name? Labels of 1 to 63 bytes, 255 in all, one
 * final dot at most; backslash escapes count as one byte.
 */
bool dnsname_text_valid(struct str text);

#endif

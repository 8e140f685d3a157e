/*
 * rulesource: one line of access rules as tcprules reads them
 * (contract-companions §1.3). Pure.
 *
 *   KEY:allow,VAR="value",…    KEY:deny,…
 *
 * Keys: an address, a range (10.1-5.), a prefix ending in a dot, =host,
 * =.suffix, info@…, nothing at all; and beyond the old grammar IPv6
 * addresses, a.b.c.d/n, IPv6/n and IPv6 prefixes ending in a colon.
 *
 * In the database an old key is as it was written. An address block is its
 * bits in `0` and `1`, with `_` (IPv4) or `^` (IPv6) in front; an IPv6 address
 * is in its shortest form.
 */
#ifndef NETRULES_RULESOURCE_H
#define NETRULES_RULESOURCE_H

#include "base/buf.h"
#include "listener/inetaddr.h"

enum rulesource {
	RULESOURCE_RULE,
	RULESOURCE_EMPTY,   /* empty, or a comment */
	RULESOURCE_IGNORED, /* no colon: never did anything */
	RULESOURCE_BAD,
};

/* Returns false to stop. */
typedef bool rulesource_record(void *ctx, struct str key, struct str value);

/*
 * Reads a line (without LF) and calls record for each database record that it
 * makes: one, or as many as its range has numbers. *stopped says that record
 * returned false.
 */
enum rulesource rulesource_read(struct str line, rulesource_record *record, void *ctx, bool *stopped);

/* Appends the first n bits of an address in the database's form. */
void rulesource_add_bits(const struct inetaddr *a, unsigned n, struct buf *key);

/* Appends the bits of "a.b.c.d/n" or "2001:db8::/n"; false when it is no block. */
bool rulesource_block(struct str text, struct buf *key);

/* A key as an administrator would write it: address blocks with their length, others as they are. */
void rulesource_show(struct str key, struct buf *out);

#endif

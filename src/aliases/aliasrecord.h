/*
 * aliasrecord: what alias databases hold (contract-companions §4.1).
 *
 *   ":address"  instructions, each ended by a NUL
 *   "?address"  the owner's address
 *
 * An address is "user@host", "user@" (at any host) or "@host" (any user), in
 * lower case. An instruction begins with what it means: '&' an address, '|' a
 * command, '!' a command that wants an mbox-like message, '/' or '.' the
 * path of a binary mailing list.
 */
#ifndef ALIASES_ALIASRECORD_H
#define ALIASES_ALIASRECORD_H

#include "base/buf.h"
#include "base/err.h"

#define ALIAS_ADDRESS_MAX 800 /* longer ones cannot be used in an alias */

/* A record, written or found: false with the reason ends everything. */
typedef bool alias_record(void *ctx, struct str key, struct str data, struct err *e);

/* Replaces *key by `kind` (':' or '?') and the address in lower case. */
void alias_key(struct buf *key, char kind, struct str address);

/* Appends "&address" and a NUL; false when it is empty, too long, or holds a NUL. */
bool alias_add_address(struct buf *data, struct str address, struct err *e);

/* Appends a path as an instruction: "./" in front unless it is absolute or has it, `suffix` behind, a NUL. */
bool alias_add_path(struct buf *data, struct str path, struct str suffix, struct err *e);

/* Takes the next NUL-ended string off *rest. False at the end, and for a string without NUL: then rest->n is not 0. */
bool alias_next(struct str *rest, struct str *instruction);

#endif

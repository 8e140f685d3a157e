/*
 * forwardtext: the language of setforward and printforward
 * (contract-companions §4.2). Pure.
 *
 *   target: command, command, ... ;
 *
 * Blanks count only behind a backslash; '#' begins a comment.
 */
#ifndef ALIASES_FORWARDTEXT_H
#define ALIASES_FORWARDTEXT_H

#include "aliases/aliasrecord.h"

/* Calls record for every record. False with the reason, when the text is malformed or record returned false. */
bool forwardtext_compile(struct str text, alias_record *record, void *ctx, struct err *e);

/* Appends a record in that language. False when it is no record of an alias database. */
bool forwardtext_print(struct str key, struct str data, struct buf *out);

#endif

/*
 * maillist: binary mailing lists (contract-companions §4.3): strings ended by
 * NUL, each "&address" or the path of another list. Pure.
 */
#ifndef ALIASES_MAILLIST_H
#define ALIASES_MAILLIST_H

#include "aliases/aliasrecord.h"

/*
 * Appends the list that the text gives, one item a line, to *out: '#' begins a
 * comment line, '/' or '.' a path, all else is an address with or without '&'.
 */
bool maillist_compile(struct str text, struct buf *out, struct err *e);

enum maillist_result { MAILLIST_ITEM, MAILLIST_END, MAILLIST_BAD };

/* Takes the next item off *rest. */
enum maillist_result maillist_next(struct str *rest, struct str *item);

#endif

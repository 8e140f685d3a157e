/*
 * aliasfile: /etc/aliases as records of an alias database
 * (contract-companions §4.3). Pure.
 *
 * Unlike the traditional newaliases, a last line without line end counts, and
 * an alias without recipients is an error: it would make mail vanish.
 */
#ifndef ALIASES_ALIASFILE_H
#define ALIASES_ALIASFILE_H

#include "aliases/aliasrecord.h"
#include "inject/rewrite.h"

/*
 * Calls record for every record; the items of a line are in it from right to
 * left, as they always were. False with the reason, when the text is
 * malformed or record returned false.
 */
bool aliasfile_compile(struct str text, const struct rewrite_rules *rules, alias_record *record, void *ctx,
		       struct err *e);

/*
 * A mailing list in the same words, one or more items a line, as a binary list
 * (maillist.h) appended to *out. Lines that begin with '#' are comments.
 */
bool aliasfile_compile_list(struct str text, const struct rewrite_rules *rules, struct buf *out, struct err *e);

#endif

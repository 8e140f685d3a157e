/*
 * virtualhome: where the mail of mailboxes without system accounts is, and
 * whose it is: mailboxes/example.org/ann/ in the home, with a Maildir in it.
 * All belongs to the one account that owns the directory mailboxes/.
 */
#ifndef VIRTUAL_VIRTUALHOME_H
#define VIRTUAL_VIRTUALHOME_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

#define VIRTUALHOME_ROOT "mailboxes"

/*
 * Appends the directory of a mailbox, relative to the home: in lower case, with
 * '%' and two digits for what a file name must not have.
 */
void virtualhome_path(struct buf *b, struct str address);

/* The account; relative to the working directory, which is the home. Root is an error, and nobody's mail is. */
bool virtualhome_owner(uid_t *uid, gid_t *gid, struct err *e);

#endif

/*
 * maildirquota: is there room in a Maildir? (Maildir++; maildirsize.h)
 *
 * The quota of a Maildir is in its file `maildirsize`; whoever knows better
 * (the table of mailboxes) says so, and the file follows. A folder
 * ("Maildir/.lists", with a file `maildirfolder` in it) belongs to the Maildir
 * above it. Messages that are marked as deleted and those in the folder .Trash
 * do not count.
 */
#ifndef MAILBOX_MAILDIRQUOTA_H
#define MAILBOX_MAILDIRQUOTA_H

#include "base/err.h"
#include "mailbox/maildirsize.h"

struct maildirquota {
	int dir; /* of the Maildir with the file; -1: there is no quota */
	struct maildir_quota quota;
};

#define MAILDIRQUOTA_INIT ((struct maildirquota){ .dir = -1 })

/*
 * Finds out whether the Maildir `dir` has a quota: `known`, or, where that is
 * NULL, what the file says. False: it cannot be found out now.
 */
bool maildirquota_open(const char *dir, const struct maildir_quota *known, struct maildirquota *q, struct err *e);
void maildirquota_close(struct maildirquota *q);

/* Is there room for a message of this size? Counts again where the file may be wrong. */
bool maildirquota_fits(const struct maildirquota *q, uint64_t bytes, bool *fits, struct err *e);

/*
 * How large may a message be that there is room for? Writes nothing. Where the room is small and the file is not to be
 * believed, the messages are counted. Without a file: UINT64_MAX.
 */
bool maildirquota_room(const struct maildirquota *q, uint64_t *bytes, struct err *e);

/* A message has come, or (negative) gone. What cannot be written is forgotten until somebody counts again. */
void maildirquota_count(const struct maildirquota *q, int64_t bytes, int64_t messages);

/* What is in the Maildir, counted now; the file is written anew. */
bool maildirquota_recount(const struct maildirquota *q, struct maildirsize *s, struct err *e);

/* As it is in the file, without counting. False: there is none, or it is damaged. */
bool maildirquota_read(const struct maildirquota *q, struct maildirsize *s);

#endif

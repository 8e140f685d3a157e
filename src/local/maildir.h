/*
 * maildir: one message into a Maildir, for good (contract §10.6).
 *
 * The file is written without a name (O_TMPFILE), synced, and linked into
 * new/, so nothing half-written ever has a name and nothing is left in tmp/
 * after a crash. The name in new/ tells the size (mailbox/maildirsize.h).
 * Where a file system cannot do that, it is written under a
 * name in tmp/ and linked or renamed from there. In both cases the directory
 * new/ is synced before success is reported. All of it goes through
 * sys/file.h.
 */
#ifndef LOCAL_MAILDIR_H
#define LOCAL_MAILDIR_H

#include "local/message.h"

/*
 * `dir` ends in '/'. `header` goes in front of the message. False, with the
 * text for the report: nothing was delivered; always temporary.
 */
bool maildir_deliver(const char *dir, struct str header, struct message *m, struct err *e);

/*
 * Appends a file name that no other delivery uses: time, microsecond, process,
 * a counter, random bits, and the host's name with '/' and ':' escaped.
 */
void maildir_name(struct buf *name);

#endif

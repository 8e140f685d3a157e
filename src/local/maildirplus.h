/*
 * maildirplus: one message into a Maildir, if its quota has room for it
 * (mailbox/maildirquota.h). Maildirs without a quota cost a look.
 */
#ifndef LOCAL_MAILDIRPLUS_H
#define LOCAL_MAILDIRPLUS_H

#include "local/message.h"
#include "mailbox/maildirsize.h"

struct maildirplus_rules {
	bool make;                         /* make a Maildir that does not exist */
	const struct maildir_quota *quota; /* NULL: what the Maildir says */
	bool bounce_full;                  /* no room is a permanent error, else temporary */
};

/* As maildir_deliver; also for good, see above. */
bool maildirplus_deliver(const char *dir, struct str header, struct message *m, const struct maildirplus_rules *rules,
			 struct err *e);

/* With bounce_full: a message of more bytes fails for good. UINT64_MAX: none does, or it cannot be found out now. */
uint64_t maildirplus_room(const char *dir, const struct maildirplus_rules *rules);

#endif

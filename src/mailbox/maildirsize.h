/*
 * maildirsize: the grammar of quotas as Maildir++ has them, which Courier and
 * Dovecot share. Pure.
 *
 * The file `maildirsize` in a Maildir says in its first line what is allowed
 * ("10000000S,1000C": bytes and messages) and in each further one what was
 * added or taken away ("1234 1", "-1234 -1"). The file name of a message says
 * how large it is (",S=1234", and ",W=1260" with CR LF line ends), so that
 * nobody has to ask the file system.
 */
#ifndef MAILBOX_MAILDIRSIZE_H
#define MAILBOX_MAILDIRSIZE_H

#include "base/buf.h"

/* 0: no limit. */
struct maildir_quota {
	uint64_t bytes, messages;
};

/* False: malformed. Limits of other kinds (unknown letters) are passed over. */
bool maildir_quota_parse(struct str text, struct maildir_quota *q);
void maildir_quota_format(struct buf *b, const struct maildir_quota *q);
bool maildir_quota_limits(const struct maildir_quota *q);

struct maildirsize {
	struct maildir_quota quota;
	int64_t bytes, messages; /* in the Maildir; may be wrong, also negative */
	size_t lines;            /* behind the first */
};

/* The whole file. False: damaged, count again. */
bool maildirsize_parse(struct str text, struct maildirsize *s);

/* Is what the file counts, with this much more, too much? */
bool maildirsize_over(const struct maildirsize *s, uint64_t bytes, uint64_t messages);

/* How many bytes the next message may have; UINT64_MAX where only messages are counted, 0 where there are too many. */
uint64_t maildirsize_room(const struct maildirsize *s);

/* The number behind ",S=" (letter 'S') or ",W=" in a message's file name; false: there is none. */
bool maildir_name_size(struct str name, char letter, uint64_t *size);

/* Has the message the flag (the letters behind ":2,")? */
bool maildir_name_flag(struct str name, char flag);

#endif

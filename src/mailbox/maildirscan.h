/*
 * maildirscan: what is in a Maildir, for programs that read one.
 */
#ifndef MAILBOX_MAILDIRSCAN_H
#define MAILBOX_MAILDIRSCAN_H

#include <stdint.h>
#include <time.h>

#include "base/err.h"

struct maildir_entry {
	char *path; /* "new/NAME" or "cur/NAME"; owned */
	struct timespec mtime;
	uint64_t size;
};

struct maildir_list {
	struct maildir_entry *entry; /* owned */
	size_t n, cap;
};

/*
 * The messages in new/, and in cur/ when `all`, of the Maildir that dirfd is,
 * oldest first. Only regular files with names that do not begin with '.', and
 * only those changed before `before` (seconds since 1970). False: a directory
 * cannot be read.
 */
bool maildir_scan(int dirfd, bool all, int64_t before, struct maildir_list *list, struct err *e);

/*
 * The same, but names that say when the message came and how large it is, as
 * those of deliveries do, are believed: nothing is asked of the file system
 * for them, which takes longer than all the rest. mtime has whole seconds then.
 */
bool maildir_scan_names(int dirfd, bool all, int64_t before, struct maildir_list *list, struct err *e);
void maildir_list_free(struct maildir_list *list);

/* Removes files in tmp/ that nobody has looked at for 36 hours: their delivery was given up. */
void maildir_clean_tmp(int dirfd, int64_t now);

#endif

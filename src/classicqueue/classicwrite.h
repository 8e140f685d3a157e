/*
 * classicwrite: writing a queue in qmail's classic layout (contract §5).
 *
 * A message becomes visible to qmail with its info file, which is to be
 * written last, when everything before is durable. Nothing is durable before
 * classic_out_sync: one for many messages.
 */
#ifndef CLASSICQUEUE_CLASSICWRITE_H
#define CLASSICQUEUE_CLASSICWRITE_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

struct classic_out {
	int dir, lock;
	uint64_t split;
	/* Whose the files are; -1: the caller's. */
	uid_t queue_uid, send_uid, remote_uid;
	gid_t gid;
};

/*
 * Makes path and what belongs there. A directory that is a queue already is
 * refused unless it has the file `mark`, which an export of ours has left.
 * The lock is taken.
 */
bool classic_out_open(struct classic_out *o, const char *path, const char *mark, struct err *e);
void classic_out_close(struct classic_out *o);

/*
 * A new content file, empty: its descriptor, and the number that the message
 * has from now on. It is in a place of its own, one for each slot, which the
 * next classic_out_open empties.
 */
bool classic_out_content(struct classic_out *o, size_t slot, int *fd, uint64_t *number, struct err *e);
/* It is complete; closes fd. */
bool classic_out_content_end(struct classic_out *o, int fd, struct err *e);
/* Makes it mess/S/N. */
bool classic_out_place(struct classic_out *o, size_t slot, uint64_t number, struct err *e);

/* A file of the message: what is local, remote, info (with S between) or bounce. Nothing is written if it is empty. */
bool classic_out_file(struct classic_out *o, const char *what, uint64_t number, struct str bytes, int64_t mtime,
		      struct err *e);

/* Makes all that was done durable. */
bool classic_out_sync(struct classic_out *o, struct err *e);

/* Takes away a message: first what makes it one, which is to be durable before the rest. */
bool classic_out_hide(struct classic_out *o, uint64_t number, struct err *e);
bool classic_out_remove(struct classic_out *o, uint64_t number, struct err *e);

#endif

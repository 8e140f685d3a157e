/*
 * cdbmaker: writing a constant database so that readers always find a whole
 * one: under another name first, synced, then renamed, and the directory
 * synced.
 */
#ifndef CDB_CDBMAKER_H
#define CDB_CDBMAKER_H

#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"

struct cdb_make;

struct cdbmaker {
	int dirfd, tmpdirfd; /* the directories that path and tmp are in; owned */
	int fd;
	char *path, *tmp; /* names within them; owned */
	struct cdb_make *make;
};

/*
 * Begins a database that will be dirfd/path. `tmp` is the name to write under
 * (same file system; an old file of that name is removed).
 */
bool cdbmaker_start(struct cdbmaker *m, int dirfd, const char *path, const char *tmp, mode_t mode, struct err *e);

/* Adds a record. After a failure call cdbmaker_cancel. */
bool cdbmaker_add(struct cdbmaker *m, struct str key, struct str value, struct err *e);

/* Puts the database in place for good. Ends m, also when it fails. */
bool cdbmaker_finish(struct cdbmaker *m, struct err *e);

/* Gives it up and removes the unfinished file; harmless after cdbmaker_finish. */
void cdbmaker_cancel(struct cdbmaker *m);

#endif

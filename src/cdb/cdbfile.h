/*
 * cdbfile: looking things up in a constant database (users/cdb,
 * control/morercpthosts.cdb, rules files).
 *
 * A damaged file must never look like one in which the key is missing: that
 * would turn a disk fault into "no such user". So the whole structure is
 * checked when the file is opened, and every fault is a temporary error. The
 * content is copied away from the file first; a writer that truncates or
 * rewrites the file in place cannot disturb a reader.
 */
#ifndef CDB_CDBFILE_H
#define CDB_CDBFILE_H

#include <sys/stat.h>

#include "base/err.h"
#include "base/str.h"

struct cdb;

struct cdbfile {
	bool present;     /* the file existed; without it every look-up finds nothing */
	struct cdb *cdb;  /* owned; NULL unless present */
	int dirfd;        /* where path starts; the caller keeps it open */
	char *path;       /* owned */
	struct stat seen; /* of the file when it was read */
};

#define CDBFILE_INIT ((struct cdbfile){ .dirfd = -1 })

/*
 * Reads dirfd/path. A missing file is no error (present is false). A file
 * that cannot be read, or is damaged, is a temporary one; f is then closed.
 */
bool cdbfile_open(struct cdbfile *f, int dirfd, const char *path, struct err *e);

/*
 * Reads the file again if it was replaced or changed since; costs one stat
 * otherwise. When the new file is damaged, f keeps the old content and false
 * returns.
 */
bool cdbfile_refresh(struct cdbfile *f, struct err *e);

/*
 * Looks key up; *found says whether it is there, and *value is then a view
 * that lasts until f is closed or refreshed. Of equal keys the first counts.
 * False: the database is damaged (temporary); never to be taken for "not there".
 */
bool cdbfile_find(const struct cdbfile *f, struct str key, bool *found, struct str *value, struct err *e);

/* Releases everything; harmless on an empty f. */
void cdbfile_close(struct cdbfile *f);

/* Checks the structure of a whole database in memory: what cdbfile_open does. Pure. */
bool cdbfile_check(struct str image, struct err *e);

#endif

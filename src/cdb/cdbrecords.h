/*
 * cdbrecords: all records of a constant database in memory, in the order in
 * which they were written. Pure.
 */
#ifndef CDB_CDBRECORDS_H
#define CDB_CDBRECORDS_H

#include "base/str.h"

struct cdbrecords {
	struct str rest; /* records not yet taken */
	bool bad;        /* the database is malformed: there may be more records than were seen */
};

struct cdbrecords cdbrecords_of(struct str image);

/* Takes the next record; views point into the image. False at the end, and when `bad` is set. */
bool cdbrecords_next(struct cdbrecords *r, struct str *key, struct str *value);

#endif

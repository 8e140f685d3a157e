/*
 * userdb: looking an address up in users/cdb (contract §3.2).
 */
#ifndef USERS_USERDB_H
#define USERS_USERDB_H

#include "cdb/cdbfile.h"
#include "users/owner.h"

/*
 * The whole address first, then its prefixes from the longest to the
 * shortest. OWNER_NONE when neither is there or the database does not exist;
 * OWNER_DATABASE (e says why) when it is damaged.
 */
enum owner_status userdb_find(const struct cdbfile *db, struct str local, struct owner *o, struct err *e);

#endif

/*
 * owner: who a local address belongs to: the account that its deliveries run
 * as, and which .qmail files control it (contract §3).
 */
#ifndef USERS_OWNER_H
#define USERS_OWNER_H

#include <sys/types.h>

#include "base/buf.h"

#define OWNER_TEXT_MAX 16384

struct owner {
	struct buf text; /* the strings below; owned */
	const char *user, *home, *dash, *ext;
	uid_t uid;
	gid_t gid;
};

#define OWNER_INIT ((struct owner){ .text = BUF_INIT(OWNER_TEXT_MAX) })

/*
 * Results of look-ups. The values are those that qmail-getpw and the children
 * of qmail-lspawn exit with (contract §3.4, §9.2).
 */
enum owner_status {
	OWNER_FOUND = 0,
	OWNER_NONE = 1,        /* not in this database */
	OWNER_HOME = 115,      /* the home directory cannot be examined now */
	OWNER_NO_ALIAS = 116,  /* the account "alias" does not exist */
	OWNER_DATABASE = 117,  /* users/cdb cannot be read or is damaged */
	OWNER_TEMPORARY = 118, /* the password database cannot be asked now */
};

/* Replaces *o. OWNER_TEMPORARY when the strings are too long for it. */
enum owner_status owner_set(struct owner *o, struct str user, uid_t uid, gid_t gid, struct str home, struct str dash,
			    struct str ext);

/*
 * Replaces *o from a record's value (assign.h); `rest` is what a wildcard left
 * of the address and is appended to ext. OWNER_DATABASE when it is malformed.
 */
enum owner_status owner_decode(struct owner *o, struct str value, struct str rest);

void owner_free(struct owner *o);

#endif

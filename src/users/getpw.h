/*
 * getpw: who an address belongs to by the password database: the rules of
 * qmail-getpw (contract §3.4).
 *
 * The address, then the address cut at each '-' from right to left, is tried
 * as an account name. An account counts when it is not root, and its home
 * directory exists and belongs to it. Everything else belongs to alias.
 */
#ifndef USERS_GETPW_H
#define USERS_GETPW_H

#include <pwd.h>
#include <sys/stat.h>

#include "users/owner.h"

/* What the rules ask the system; tests ask something else. */
struct getpw_system {
	int (*passwd)(const char *name, struct passwd *pw, char *space, size_t n, struct passwd **result);
	int (*stat)(const char *path, struct stat *st);
};

struct getpw_rules {
	const struct getpw_system *system; /* NULL: the C library's getpwnam_r and stat */
	/*
	 * An ordinary user's instance: only accounts with the uid `own_uid` count, and what belongs to
	 * nobody belongs to own_uid and own_gid with the home directory own_alias.
	 */
	bool own_only;
	uid_t own_uid;
	gid_t own_gid;
	const char *own_alias;
};

/*
 * Fills *o, never OWNER_NONE. A password database that does not answer is
 * OWNER_TEMPORARY and never "no such user".
 */
enum owner_status getpw_find(const struct getpw_rules *rules, struct str local, struct owner *o);

#endif

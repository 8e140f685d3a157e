/*
 * account: the numbers behind an account's name, and becoming it. `me` is the
 * program's name for messages; trouble ends the program with 111.
 */
#ifndef SUPERVISION_ACCOUNT_H
#define SUPERVISION_ACCOUNT_H

#include <sys/types.h>

struct account_ids {
	uid_t uid;
	gid_t gid;
};

struct account_ids account_find(const char *me, const char *name);

/*
 * The whole program "ACCOUNT PROGRAM…": gives up all groups but the account's own, then the user, for good, and
 * becomes the program.
 */
_Noreturn void account_run(const char *me, const char *usage, int argc, char **argv);

#endif

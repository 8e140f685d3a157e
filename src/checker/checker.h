/*
 * checker: a program of the checkpassword interface but for the question
 * whether the password is right (contract-companions §3).
 *
 * Exits 1 when it is not (and for input that is too long), 2 when misused, 111
 * when it cannot be found out; otherwise becomes the account and then the
 * program that its arguments name. Nothing is said to anybody: descriptors 1
 * and 2 may be a client's.
 */
#ifndef CHECKER_CHECKER_H
#define CHECKER_CHECKER_H

#include <sys/types.h>

#include "base/buf.h"
#include "checker/checkinput.h"

enum checker_verdict { CHECKER_RIGHT, CHECKER_WRONG = 1, CHECKER_TEMPORARY = 111 };

struct checker_account {
	struct buf user, home, shell;
	uid_t uid;
	gid_t gid;
};

/* `verify` fills the account when the password is right. It may have become the account already. */
_Noreturn void checker_run(char *const *program,
			   enum checker_verdict (*verify)(const struct checkinput *c, struct checker_account *a));

/* The account of the system with this name: CHECKER_WRONG when there is none. */
enum checker_verdict checker_system_account(const char *login, struct checker_account *a, struct buf *password);

#endif

/*
 * accounts: the historical qmail accounts, looked up by name at run time.
 *
 * With root and the accounts, each process runs as its own user. Otherwise
 * (an ordinary user's private instance) everything runs as the caller, and
 * every field below holds the caller's own numbers.
 */
#ifndef SYS_ACCOUNTS_H
#define SYS_ACCOUNTS_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

enum account {
	ACCOUNT_ALIAS,
	ACCOUNT_DAEMON,  /* qmaild: network services */
	ACCOUNT_LOG,     /* qmaill */
	ACCOUNT_PASSWD,  /* qmailp */
	ACCOUNT_QUEUE,   /* qmailq: owns the queue */
	ACCOUNT_REMOTE,  /* qmailr */
	ACCOUNT_SEND,    /* qmails */
	ACCOUNT_RESOLVE, /* qmailn, or qmailp where that does not exist */
	ACCOUNT_COUNT
};

struct accounts {
	bool separated; /* one user per process (root with accounts) */
	uid_t uid[ACCOUNT_COUNT];
	gid_t gid_qmail, gid_nofiles;
};

/*
 * As root: looks all names up; a missing one is an error that names it. As
 * anybody else: the caller's own numbers everywhere.
 */
bool accounts_load(struct accounts *a, struct err *e);

/*
 * For a process that may already have given up root: as accounts_load, but
 * separated when the accounts exist and the caller is one of them, or root.
 */
bool accounts_load_names(struct accounts *a, struct err *e);

/* The caller's own numbers everywhere. True. */
bool accounts_single(struct accounts *a);

/* Is it one of these, or root? Nobody else need be given much of what processes share. */
bool accounts_ours(const struct accounts *a, uid_t uid);

/* The account's historical name, for messages. */
const char *account_name(enum account which);

/*
 * Becomes uid with the one group gid, for good (also the saved ids), and
 * verifies it. No effect when nothing would change. False must end the process.
 */
bool accounts_become(uid_t uid, gid_t gid, struct err *e);

#endif

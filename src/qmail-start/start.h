/*
 * start: what the modules of qmail-start share.
 *
 *   qmail-start.c      order of the start; becomes qmail-send
 *   start_prepare.c    directories, sockets, the lock
 *   start_watch.c      the process that starts the services and starts them again
 */
#ifndef QMAIL_START_START_H
#define QMAIL_START_START_H

#include "base/err.h"
#include "sys/accounts.h"
#include "sys/unixsock.h"

enum service_id { SERVICE_JOURNAL, SERVICE_RESOLVE, SERVICE_LSPAWN, SERVICE_RSPAWN, SERVICES };

#define SERVICE_SOCKETS 2

struct service_socket {
	const char *name; /* in run/; NULL: none */
	enum unixsock_kind kind;
	mode_t mode;
	enum account owner; /* ACCOUNT_COUNT: root */
};

/* One row for each process that qmail-start keeps running. */
struct service_row {
	const char *program;
	enum account account;                           /* ACCOUNT_COUNT: root */
	bool nofiles;                                   /* group nofiles instead of qmail */
	struct service_socket sockets[SERVICE_SOCKETS]; /* become descriptors 3 and 4 */
};

extern const struct service_row service_rows[SERVICES]; /* a constant table */

struct start {
	struct accounts accounts;
	const char *defaultdelivery;
	int lock;
	int sockets[SERVICES][SERVICE_SOCKETS]; /* -1: none */
	int log;                                /* where all logs go */
	int link;                               /* to the process that becomes qmail-send */
};

/*
 * Takes the lock (false: another one runs, or nobody can know).
 */
bool start_lock(struct start *s, struct err *e);

/*
 * Makes what is missing of queue/ and run/ with the right owners, and listens on all sockets.
 */
bool start_prepare(struct start *s, struct err *e);

/* Starts the services and keeps them running until qmail-send's end of the link closes. Never returns. */
_Noreturn void start_watch(struct start *s);

#endif

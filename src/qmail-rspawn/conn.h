/*
 * conn: a TCP connection to a peer, and the SMTP session on it.
 *
 * Deadlines are numbers that peers_tick compares once a second, not timers:
 * at thousands of messages a second, arming timers would cost more than the
 * mail.
 */
#ifndef QMAIL_RSPAWN_CONN_H
#define QMAIL_RSPAWN_CONN_H

#include "qmail-rspawn/job.h"
#include "smtpclient/sessionwire.h"

struct peer;

struct conn {
	struct conn *prev, *next;           /* all connections */
	struct conn *prev_idle, *next_idle; /* in the peer's list */
	struct peer *peer;
	struct outsettings_ref *settings;
	const struct outidentity *identity; /* in the settings */
	int fd;
	int error; /* connecting failed at once: errno */
	bool connecting, writing, idle;
	bool dead; /* closed; the memory goes with the next tick */
	struct event *readable, *writable;
	struct session session;
	struct sessionwire wire;
	char *name;          /* the server's, which the session's policy refers to */
	struct job *jobs[2]; /* the current one and the one whose envelope goes ahead */
	bool reused[2];      /* was the session used before the job came? */
	int64_t deadline;    /* clock_monotonic_ms */
	int64_t limit;       /* for the whole transaction */
};

/* Begins to connect, for this job and with its policy. NULL with errno: no socket. The result is never reported from
 * within. */
struct conn *conn_new(struct peer *peer, const struct sockaddr *sa, socklen_t len, struct job *j);

/* An idle one takes the job. */
void conn_assign(struct conn *c, struct job *j);

void conn_tick(struct conn *c, int64_t now);

/* Says QUIT and closes an idle one. */
void conn_quit(struct conn *c);

/* Closes and frees it without telling anybody. Its jobs are freed. */
void conn_abandon(struct conn *c);

#endif

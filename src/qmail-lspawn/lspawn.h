/*
 * lspawn: the state of qmail-lspawn, which runs local deliveries for
 * qmail-send (wire/delivery.h), a child process each.
 *
 * It runs as root where accounts are separated, reads requests, results of
 * its children and users/cdb, and nothing else: a child that has become the
 * user does the delivery. It is kept small, because its memory is what fork
 * copies.
 */
#ifndef QMAIL_LSPAWN_LSPAWN_H
#define QMAIL_LSPAWN_LSPAWN_H

#include "cdb/cdbfile.h"
#include "local/program.h"
#include "sys/accounts.h"
#include "users/owner.h"
#include "wire/delivery.h"

#define LSPAWN_SLOTS 1000 /* deliveries at a time; more wait in the socket */
#define LSPAWN_CONNECTIONS 8

struct slot {
	bool used;
	pid_t pid;           /* 0: ended, its result waits to be sent */
	int pipe;            /* its output, or -1 */
	uint32_t id;         /* of the delivery, for qmail-send */
	uint64_t connection; /* serial number of the one to answer */
	int64_t started;     /* monotonic milliseconds */
	bool killed;         /* its time was over */
	size_t output_n;     /* bytes seen; the first ones are in output */
	struct buf output;
	struct buf result; /* the packet to send */
};

struct connection {
	int fd;          /* -1: free */
	uint64_t serial; /* never used twice */
	bool blocked;    /* results wait until it can take more */
};

struct lspawn {
	const char *default_delivery;
	struct program_limits limits;
	bool root;       /* deliveries become their users */
	uid_t uid;       /* our own */
	uid_t send_uid;  /* qmail-send's */
	char *own_alias; /* home of what belongs to nobody, when not root */
	struct cdbfile users;
	bool users_open;
	int listenfd, signalfd; /* listenfd is -1 once we are ending */
	int64_t end;            /* when ending: the last moment, else 0 */
	bool orphans;           /* a delivery may have left processes to us */
	uint64_t serial;
	struct connection connections[LSPAWN_CONNECTIONS];
	struct slot slots[LSPAWN_SLOTS];
	size_t top; /* slots from here on were never used */
};

/* The loop. Returns when a signal asked for the end and the running deliveries have ended. */
void lspawn_loop(struct lspawn *l);

/* Starts the delivery that the packet asks for. passfd, the message, is closed in any case. False: malformed. */
bool lspawn_request(struct lspawn *l, struct connection *c, struct str packet, int passfd);

/* Takes what the delivery has written. */
void slot_read(struct slot *s);
/* Reports the deliveries that have ended. */
void lspawn_reap(struct lspawn *l);
/* Kills deliveries that take too long, and processes they left behind. */
void lspawn_timers(struct lspawn *l, int64_t now);
/* Kills all deliveries. */
void lspawn_kill_all(struct lspawn *l);

/* Sends the results that wait for connection c, until it can take no more. */
void lspawn_send_results(struct lspawn *l, struct connection *c);

struct child_job {
	const struct delivery_request *request;
	struct str local, host;
	enum owner_status known;   /* OWNER_NONE: the password database decides */
	const struct owner *owner; /* valid when known is OWNER_FOUND */
	int message, report;       /* descriptors */
};

/* The child's part, from fork to exit. */
_Noreturn void lspawn_child(const struct lspawn *l, const struct child_job *job);

#endif

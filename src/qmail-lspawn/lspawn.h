/*
 * lspawn: the state of qmail-lspawn, which runs local deliveries for
 * qmail-send (wire/delivery.h) in child processes.
 *
 * It runs as root where accounts are separated, reads requests, results of
 * its children and users/cdb, and nothing else: a child that has become the
 * user does the delivery. It is kept small, because its memory is what fork
 * copies.
 *
 * A child that has done nothing but write to mailboxes stays for a moment and
 * takes the next delivery for the same user: becoming that user again would
 * cost as much as the delivery itself. A child in which anything else ran, a
 * program above all, ends with that delivery.
 */
#ifndef QMAIL_LSPAWN_LSPAWN_H
#define QMAIL_LSPAWN_LSPAWN_H

#include "cdb/cdbfile.h"
#include "local/program.h"
#include "qmail-lspawn/lspawn_recipient.h"
#include "sys/accounts.h"
#include "users/owner.h"
#include "wire/delivery.h"

#define LSPAWN_SLOTS 1000 /* deliveries at a time; more wait in the socket */
#define LSPAWN_CONNECTIONS 8
#define LSPAWN_NICE 10 /* added to the priority value of deliveries, see nice(2) */

enum slot_state {
	SLOT_FREE,
	SLOT_RUNNING,
	SLOT_ANSWER, /* its result waits to be sent */
	SLOT_IDLE,   /* its process waits for the next delivery */
};

struct slot {
	enum slot_state state;
	pid_t pid;         /* its process; 0: none */
	int pipe, control; /* the process's output, and the socket to it; -1 */
	int64_t born;      /* of the process; times are monotonic milliseconds */
	struct buf owner;  /* for whom the process can deliver, see owner_key */

	uint32_t id;         /* of the delivery, for qmail-send */
	uint64_t connection; /* serial number of the one to answer */
	int64_t since;       /* when this state began */
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
	bool bounce_full; /* mail for a mailbox over its quota bounces at once */
	bool root;        /* deliveries become their users */
	uid_t uid;        /* our own */
	uid_t send_uid;   /* qmail-send's */
	char *own_alias;  /* home of what belongs to nobody, when not root */
	struct cdbfile users;
	bool users_open;
	int listenfd, signalfd; /* listenfd is -1 once we are ending */
	int64_t end;            /* when ending: the last moment, else 0 */
	bool orphans;           /* a delivery may have left processes to us */
	uint64_t serial;
	struct connection connections[LSPAWN_CONNECTIONS];
	struct slot slots[LSPAWN_SLOTS];
	size_t top; /* slots from here on were never used */
	struct recipients recipients;
};

/* One delivery. Views point into the request. */
struct lspawn_job {
	struct str local, host, sender;
	enum owner_status known; /* OWNER_NONE: the password database decides */
	bool virtual;            /* there is a table of mailboxes, which comes before both */
	struct owner owner;      /* filled when known is OWNER_FOUND */
	int message;             /* descriptor; the caller's */
	uint8_t ret, notify;     /* what the sender wants to hear, as in the request */
	struct str envid, orcpt;
};

/* lspawn_loop.c: returns when a signal asked for the end and the running deliveries have ended. */
void lspawn_loop(struct lspawn *l);

/* lspawn_request.c: does what the packet asks. passfd, the message, is closed in any case. False: malformed. */
bool lspawn_request(struct lspawn *l, struct connection *c, struct str packet, int passfd);

/* The owner by users/cdb, as lspawn_job has it; trouble is logged. */
enum owner_status lspawn_look_up(struct lspawn *l, struct str local, struct owner *o);

/* lspawn_slot.c */
/* A slot for a delivery: with a process that can do it, or without any. NULL: all are busy. */
struct slot *slot_take(struct lspawn *l, const struct lspawn_job *job);
/* Hands the job to the slot's process, or to a new one. NULL, or the report of what went wrong. */
const char *slot_start(struct lspawn *l, struct slot *s, const struct lspawn_job *job);
/* Ends a delivery that needed no process. */
void slot_answer(struct lspawn *l, struct slot *s, const char *report);
/* Takes what the delivery has written. */
void slot_read(struct slot *s);
/* Takes the result of a process that goes on. */
void slot_done(struct lspawn *l, struct slot *s);
/* Is there room for one more delivery? Are there any, or (idle) any processes? */
bool slots_full(const struct lspawn *l);
bool slots_busy(const struct lspawn *l, bool idle);
/* Reports the deliveries whose processes have ended. */
void slots_reap(struct lspawn *l);
/* Kills deliveries that take too long, processes they left behind, and ends those that were idle for long. */
void slots_tick(struct lspawn *l, int64_t now);
void slots_kill_all(struct lspawn *l);
/* Sends the results that wait for connection c, until it can take no more; drops them when it is closed. */
void slots_send_results(struct lspawn *l, struct connection *c);

/* lspawn_child.c: the child's part, from fork to exit. report is its output, control the socket to its parent. */
_Noreturn void lspawn_child(const struct lspawn *l, const struct lspawn_job *job, int report, int control);

/*
 * The child's part of a search: becomes the job's owner and ends with LSPAWN_SEARCH_EXIT plus an enum
 * recipient_answer. Any other end means that it is not known. *room, in memory shared with the parent, gets the room
 * that was found.
 */
_Noreturn void lspawn_search(const struct lspawn *l, const struct lspawn_job *job, uint64_t *room);
#define LSPAWN_SEARCH_EXIT 10

/* The packets between the two: a further job, and its result. */
void lspawn_put_job(struct buf *b, const struct lspawn_job *job);
#define LSPAWN_DONE_MAX 4096

#endif

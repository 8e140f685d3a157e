/*
 * lspawn_recipient: the other service of qmail-lspawn: would an address be
 * delivered to? (wire/recipientproto.h)
 *
 * The owner is looked up as for a delivery, and a child that has become the
 * owner looks for the .qmail file; nothing of a user's is touched as root.
 * Answers are remembered for a short time. Searches at a time, and the time
 * of each, are limited: the answer is then that it is not known.
 */
#ifndef QMAIL_LSPAWN_LSPAWN_RECIPIENT_H
#define QMAIL_LSPAWN_LSPAWN_RECIPIENT_H

#include <sys/types.h>

#include "base/err.h"
#include "local/answercache.h"

#define ASKERS 256 /* connections at a time; the longest idle one gives way to a new one */
#define SEARCHES 16
#define SEARCH_MS 2000 /* for a search, and for the answer to a question */

enum asker_state { ASKER_FREE, ASKER_IDLE, ASKER_WAITING };

/* A connection. */
struct asker {
	enum asker_state state;
	int fd;
	uint64_t turn;      /* the larger, the later it came or was answered */
	uint32_t id;        /* of the question that waits */
	int64_t since;      /* when it was asked; times are monotonic milliseconds */
	struct buf address; /* in lower case */
};

/* A child that looks for one address, for however many have asked. */
struct search {
	pid_t pid; /* 0: free */
	int64_t since;
	bool given_up; /* it was killed, and has been answered for */
	struct buf address;
};

struct recipients {
	int listenfd, epoll; /* -1: the service has ended */
	bool accepting;
	uint64_t turn;    /* the last one given */
	uid_t daemon_uid; /* qmail-smtpd's */
	struct asker askers[ASKERS];
	struct search searches[SEARCHES];
	uint64_t *rooms; /* what each search has found, in memory shared with its child */
	struct answercache cache;
};

struct lspawn;

/* Begins to serve listenfd, which is the service's from now on. */
bool recipients_start(struct lspawn *l, int listenfd, struct err *e);
void recipients_stop(struct lspawn *l);

/* To be called when r->epoll is readable. */
void recipients_handle(struct lspawn *l);
/* A child has ended. False: it was not one of ours. */
bool recipients_ended(struct lspawn *l, pid_t pid, int status);
bool recipients_own(const struct lspawn *l, pid_t pid);
/* Gives up what takes too long. */
void recipients_tick(struct lspawn *l, int64_t now);
/* Milliseconds after which recipients_tick wants to be called, or -1. */
int recipients_wait(const struct lspawn *l);

#endif

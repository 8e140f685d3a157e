/*
 * journal_server: the state of the qmail-journal process that its modules
 * share.
 *
 *   qmail-journal.c     start, loop, signals
 *   journal_client.c    clients that submit messages (run/journal)
 *   journal_manager.c   the scheduler and operators' tools (run/queue)
 *   journal_bodies.c    syncing large bodies, in a thread of its own
 *   journal_check.c     qmail-journal --check
 */
#ifndef QMAIL_JOURNAL_JOURNAL_SERVER_H
#define QMAIL_JOURNAL_JOURNAL_SERVER_H

#include <event2/event.h>

#include "journal/journal.h"
#include "sys/accounts.h"
#include "sys/unixsock.h"

struct client;
struct manager;

struct server {
	struct event_base *loop;
	struct journal *journal;
	struct accounts accounts;
	int client_listener, manager_listener;
	struct client *clients; /* all, linked */
	size_t nclients;
	struct event *listening;    /* for clients */
	struct event *listen_again; /* after a pause, because descriptors had run out */
	int64_t complained;         /* monotonic ms: when the log last heard that clients were turned away */
	struct client *waiting;     /* staged, to be answered after the commit */
	struct client *last_waiting;
	struct manager *managers;
	struct manager *scheduler; /* the one that said MANAGE, or NULL */
	struct event *sync_timer;  /* results are synced at most a second later */
	struct event *maintain_timer;
	bool sync_due, maintenance_due; /* at the end of the turn */
	bool stopping;
};

/* ---- journal_client.c ---- */
void client_accept(struct server *sv);
/* A client that is connected already; fd belongs to it from now on, unless false returns. */
bool client_add(struct server *sv, int fd, struct err *e);
/* Listens again after a pause. */
void client_listen_again(struct server *sv);
/* Stages what a client completed; called from the loop. */
void client_body_synced(struct server *sv, struct client *c, bool ok);
/* After a commit: tells everybody who waits. e is used when !ok. */
void client_answer_waiting(struct server *sv, bool ok, const struct err *e);

/* ---- journal_manager.c ---- */
void manager_accept(struct server *sv);
/* A message has come into being. */
void manager_announce(struct server *sv, uint64_t id);

/* ---- journal_bodies.c ---- */
bool bodies_start(struct server *sv, struct err *e);
/* Syncs fd (of the client's body) in the thread, then calls client_body_synced from the loop. */
void bodies_sync(struct server *sv, struct client *c, int fd);

/* ---- journal_check.c ---- */
int journal_check(const char *dir);

#endif

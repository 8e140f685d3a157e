/*
 * journal_server: the state of the qmail-journal process that its modules
 * share.
 *
 *   qmail-journal.c     start, loop, signals
 *   journal_client.c    clients that submit messages (run/journal)
 *   journal_held.c      how much memory they may take for them
 *   journal_manager.c   the scheduler and operators' tools (run/queue)
 *   journal_telling.c   telling them about messages
 *   journal_orders.c    what operators want of messages
 *   journal_bodies.c    syncing large bodies, in a thread of its own
 *   journal_fill.c      writing zeros ahead, in another thread
 *   journal_check.c     qmail-journal --check
 */
#ifndef QMAIL_JOURNAL_JOURNAL_SERVER_H
#define QMAIL_JOURNAL_JOURNAL_SERVER_H

#include <event2/event.h>

#include "journal/journal.h"
#include "sys/accounts.h"
#include "sys/packetqueue.h"
#include "sys/unixsock.h"
#include "wire/queueproto.h"

struct client;
struct order;

/* Messages that are told one after the other, as fast as the peer reads. */
struct stream {
	uint64_t *ids; /* NULL: none */
	size_t n, at;
	bool numbers; /* WAITING packets instead of MESSAGEs */
	uint8_t want; /* OPEN_… */
};

struct order_list {
	struct order *first, *last;
};

/* A connection on run/queue. */
struct manager {
	struct server *sv;
	struct manager *prev, *next;
	int fd;
	uid_t uid;
	struct event *readable, *writable;
	struct packet_queue out;
	struct buf in;
	struct stream stream;
};

struct server {
	struct event_base *loop;
	struct journal *journal;
	struct accounts accounts;
	int client_listener, manager_listener;
	struct client *clients; /* all, linked */
	size_t nclients, nwatching;
	uint64_t held;              /* bytes of messages that are coming in */
	struct event *listening;    /* for clients */
	struct event *managing;     /* for the scheduler and operators, when all is read */
	struct event *listen_again; /* after a pause, because descriptors had run out */
	int64_t complained;         /* monotonic ms: when the log last heard that clients were turned away */
	struct client *waiting;     /* staged, to be answered after the commit */
	struct client *last_waiting;
	struct manager *managers;
	struct manager *scheduler;  /* the one that said MANAGE, or NULL */
	struct order_list orders;   /* the scheduler has not answered them */
	struct order_list answered; /* to be told after the commit */
	uint32_t next_ticket;
	struct event *sync_timer; /* results are synced at most a second later */
	struct event *maintain_timer;
	bool sync_due, maintenance_due; /* at the end of the turn */
	bool reading;                   /* the queue as it was at the start has not been read to its end */
	bool alone;                     /* --serve: no scheduler will come */
	bool stopping;
};

/* ---- journal_held.c ---- */
/* A client held so much before, and holds so much now. True: it must give its message up. */
bool held_too_much(struct server *sv, size_t *before, size_t now);

/* ---- journal_client.c ---- */
void client_accept(struct server *sv);
/* A client that is connected already; fd belongs to it from now on, unless false returns. */
bool client_add(struct server *sv, int fd, struct err *e);
/* Listens again after a pause. */
void client_listen_again(struct server *sv);
/* Stages what a client completed; called from the loop. */
void client_body_synced(struct server *sv, struct client *c, bool ok);
/* Tells a client that watches the message, if there is one, what becomes of it; letter as in the EVENT frame. */
void client_event(struct server *sv, uint64_t id, char letter, uint32_t recipient, struct str text);
/* After a commit: tells everybody who waits. e is used when !ok. */
void client_answer_waiting(struct server *sv, bool ok, const struct err *e);

/* ---- journal_manager.c ---- */
void manager_accept(struct server *sv);
/* One that is connected already; uid: who it is. */
void manager_add(struct server *sv, int fd, uid_t uid);
/* A message has come into being. */
void manager_announce(struct server *sv, uint64_t id);

/* Sends now, or as soon as the peer reads; takes passfd over. */
void manager_send(struct manager *g, struct str packet, int passfd);

/* ---- journal_telling.c ---- */
/* One or more MESSAGE packets with all recipients. */
void tell_message(struct manager *g, const struct journal_envelope *env);
void tell_answers(struct manager *g, const struct journal_envelope *env);
void tell_number(struct manager *g, const struct journal_info *info);
/* Begins to tell of all messages, then READY; what was being told is given up. */
void tell_all(struct manager *g, bool numbers, uint8_t want);
/* The peer reads: the next part. */
void tell_more(struct manager *g);
/* Appends the address of a recipient as it was given. */
void tell_address(struct server *sv, uint64_t id, uint32_t recipient, struct buf *out);

/* ---- journal_orders.c ---- */
void order_given(struct manager *g, const struct order_packet *o);
/* The scheduler's answer, and its request to change an envelope. False: malformed. */
bool order_done(struct server *sv, struct wire_reader *r);
bool order_edit(struct server *sv, struct wire_reader *r);
/* After a commit. */
void orders_answer(struct server *sv, bool ok, const struct err *e);
/* g is going. */
void orders_forget(struct server *sv, const struct manager *g);

/* ---- qmail-journal.c ---- */
/* Writes what is staged and answers everybody who waits for it. */
bool server_commit(struct server *sv, bool sync, struct err *e);

/* ---- journal_bodies.c ---- */
bool bodies_start(struct server *sv, struct err *e);
/* Syncs fd (of the client's body) in the thread, then calls client_body_synced from the loop. */
void bodies_sync(struct server *sv, struct client *c, int fd);

/* ---- journal_fill.c ---- */
bool fill_start(struct err *e);
/* Makes the journal tell the thread where to write. */
void fill_options(struct journal_options *o);

/* ---- journal_check.c ---- */
int journal_check(const char *dir);

#endif

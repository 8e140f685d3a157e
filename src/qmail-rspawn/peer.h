/*
 * peer: one server address and port, and the sessions with it.
 *
 * A job gets an idle session, a new connection while there are fewer than
 * allowed, or waits in line. Allowed are PEER_FIRST_SESSIONS at first, one more
 * with each success while jobs wait, up to control/concurrencyperhost; and after
 * a connection that failed, or that the server had no place for, no more than
 * there were, growing slowly from then on. The job then waits for one of those. Two connects in a row that
 * timed out make a peer dead for a while: jobs pass over it at once, but for those with DELIVERY_AFRESH.
 */
#ifndef QMAIL_RSPAWN_PEER_H
#define QMAIL_RSPAWN_PEER_H

#include "outbound/peeraddress.h"
#include "qmail-rspawn/rspawn.h"

#define PEER_FIRST_SESSIONS 5
#define PEER_DEAD_TIMEOUTS 2
#define PEER_DEAD_SECONDS 600
#define PEER_DEAD_CONNECT_MS 10000      /* for connecting all the same: there may be many dead ones, and few slots */
#define PEER_TLS_FAILED_SECONDS 600     /* no TLS where it did not work and need not be */
#define PEER_OFFERS_FAILED_SECONDS 3600 /* without BDAT, PIPELINING or parameters */

struct job;
struct peer;
struct dead_host;

enum peer_answer {
	PEER_TAKEN, /* job_unreachable or job_done will be called */
	PEER_DEAD,
	PEER_NO_RESOURCES, /* no socket to be had */
	PEER_UNFIT,        /* the caller's own answer */
};

struct peers *peers_new(struct rspawn *r);
/* Closes all connections; their jobs are freed without a report. */
void peers_free(struct peers *all);

/* Once a second: time limits, idle sessions, peers that are of no use. */
void peers_tick(struct peers *all);

/* Calls each for every address that connections timed out with. */
void peers_list_dead(const struct peers *all, void (*each)(void *ctx, const struct dead_host *h), void *ctx);
/* Lets them be tried as if nothing had been. */
void peers_forget_dead(struct peers *all);

enum peer_answer peer_take(struct peers *all, const struct peeraddress *a, uint16_t port, struct job *j);

/* What connections tell their peer, and ask it. */
enum conn_end { CONN_CLOSED, CONN_REFUSED, CONN_TIMED_OUT };
/* For how long one tries to connect. `usual`: with peers that are not dead. */
int64_t peer_connect_ms(const struct peer *p, int64_t usual);
void peer_connected(struct peer *p);
void peer_conn_idle(struct peer *p, struct conn *c);
/* c is dead; peers_tick frees it. For the ends other than CLOSED, waiting jobs may have to go elsewhere. */
void peer_conn_ended(struct peer *p, struct conn *c, enum conn_end end, int error);
/*
 * Takes the job that waits longest, or NULL: one that wants a fresh connection is not for a `used` session, and
 * settings and policy of c must be those of the job. Without c: any job.
 */
struct job *peer_next_job(struct peer *p, const struct conn *c, bool used);
bool peer_has_waiting(const struct peer *p);
/* Connections for a while to come do without TLS where that is allowed. */
void peer_tls_failed(struct peer *p);
/* Connections for a while to come do without what seems to have ended this session. */
void peer_offers_failed(struct peer *p, const struct session *s);
/* A message was accepted. */
void peer_success(struct peer *p);
/*
 * A connection could not be had for the job, but there are others: true when it waits for one of them. `except`:
 * one that does not count, or NULL.
 */
bool peer_wait_for_others(struct peer *p, const struct conn *except, struct job *j);
/* How many recipients its sessions were seen to take at a time, with what this one knows; 0: not known. */
size_t peer_rcpt_max(struct peer *p, size_t seen);
const char *peer_text(const struct peer *p);
bool peer_v6(const struct peer *p);
uint16_t peer_port(const struct peer *p);
struct rspawn *peer_rspawn(const struct peer *p);

#endif

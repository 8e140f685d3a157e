/*
 * rspawn: what the parts of qmail-rspawn share.
 *
 *   sender   qmail-send's connection: requests in, results out
 *   job      one delivery: route, DNS, addresses in turn, report
 *   peer     one server address and port: its connections, jobs that wait for one
 *   provider who takes mail for a domain, for qmail-send
 *   conn     one TCP connection with its SMTP session
 *
 * Everything runs in one event loop; nothing blocks.
 */
#ifndef QMAIL_RSPAWN_RSPAWN_H
#define QMAIL_RSPAWN_RSPAWN_H

#include "dns/dnsclient.h"
#include "outbound/outsettings.h"

#define RSPAWN_IDLE_MS 4000 /* a session without work waits so long for the next message */

struct event_base;
struct conn;
struct job;
struct peers;
struct provider_questions;
struct senders;

struct rspawn {
	struct event_base *base;
	/* Replaced as a whole when a file changes or on SIGHUP; conns and jobs use it only during a call, or hold a
	 * reference. */
	struct outsettings_ref *settings; /* NULL: there was never anything usable in control/ */
	uint64_t fingerprint;             /* of the files that settings were read from */
	uint64_t tls_fingerprint;
	unsigned ticks;
	struct dns_client *dns;
	struct peers *peers;
	struct senders *senders;
	struct job *first_job;                /* deliveries under way */
	struct provider_questions *questions; /* NULL: there was none */
	bool stopping;                        /* no new ones; ends when there are none */
};

/* Settings in use by somebody; freed with the last user. */
struct outsettings_ref {
	struct outsettings s;
	size_t users;
};

struct outsettings_ref *settings_use(struct outsettings_ref *ref);
void settings_drop(struct outsettings_ref *ref);

/* To be called before new deliveries start: control files that have changed are read again. */
void rspawn_check_settings(struct rspawn *r);

/* To be called when a job has ended with its report. */
void rspawn_job_ended(struct rspawn *r);

#endif

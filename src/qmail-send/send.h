/*
 * send: the state of the qmail-send process that its modules share.
 *
 *   qmail-send.c      start, signals, the loop
 *   send_config.c     control files
 *   send_policy.c     what is set for single destinations
 *   send_journal.c    talking with qmail-journal
 *   send_message.c    envelopes: from packets to jobs
 *   send_delivery.c   talking with qmail-lspawn and qmail-rspawn, results
 *   send_bounce.c     bounces and other notices to senders: which are due
 *   send_notice.c     the same: composing one
 *   send_order.c      what operators want of messages
 *   send_log.c        the log, line by line as the contract has it (§8.7)
 */
#ifndef QMAIL_SEND_SEND_H
#define QMAIL_SEND_SEND_H

#include <event2/event.h>

#include "base/buf.h"
#include "base/err.h"
#include "route/destpolicies.h"
#include "route/route.h"
#include "sched/arrivals.h"
#include "sched/sched.h"
#include "sys/packetqueue.h"
#include "wire/queueproto.h"

struct send_config {
	uint64_t concurrency[SCHED_CHANNELS];
	uint64_t lifetime;
	bool plain_bounces;  /* control/bounceformat */
	uint64_t bounce_max; /* larger originals come back as their header; 0: any */
	bool tell_delays;    /* senders of ours, also without being asked */
	int64_t delay;       /* seconds after which a message is late */
	struct buf bouncefrom, bouncehost, doublebounceto, doublebouncehost;
};

/* An envelope in memory. */
struct envelope {
	uint64_t size;
	uint32_t uid, pid;
	uint32_t total;
	uint8_t flags;   /* MESSAGE_… */
	uint8_t ret;     /* enum dsn_ret */
	struct buf text; /* sender, attributes, and recipients each with its ORCPT, one after the other */
	size_t sender_length, attributes_length;
	struct envelope_recipient {
		size_t at;
		uint32_t length;
		uint16_t orcpt_length;
		uint8_t notify; /* enum dsn_notify, or-ed */
		bool done;
	} * recipients;
	uint32_t nrecipients; /* so far; total when complete */
};

struct str envelope_sender(const struct envelope *env);
/* Of the message; encoded. */
struct str envelope_attributes(const struct envelope *env);
/* Is there somebody to tell? */
bool envelope_has_sender(const struct envelope *env);
/* As they came; empty: not given. */
struct str envelope_envid(const struct envelope *env);
struct str envelope_orcpt(const struct envelope *env, uint32_t i);
struct str envelope_recipient(const struct envelope *env, uint32_t i);
void envelope_free(void *env);

/* What an answer to OPEN is for; answers come in the order of the requests. */
enum open_purpose {
	OPEN_FOR_ROUTING,
	OPEN_FOR_DELIVERY,
	OPEN_FOR_VERDICT,
	OPEN_FOR_BOUNCE,
	OPEN_FOR_DELAY,
	OPEN_FOR_ORDER
};

struct sender {
	struct event_base *loop;
	struct send_config config;
	struct route_tables routes;
	struct destpolicies policies;
	struct sched *sched;
	struct hash_key key;      /* of tables keyed by what strangers choose */
	struct event *wake;       /* when the next job is due, or a connection is to be tried again */
	struct arrivals arrivals; /* of new messages */
	bool exiting;             /* SIGTERM came: nothing new is started */
	bool ready;               /* the journal has told us all it has */
	bool ever_ready;
	bool services_ready;    /* all of them have been */
	bool lost_start;        /* the process that watches the services is gone */
	uint64_t next_delivery; /* number of the next delivery in the log */
	struct journal_link *journal;
	struct spawner *spawners[SCHED_CHANNELS];
	struct bounce *bounces;
	uint32_t nbounces;
};

/* ---- send_config.c ---- */
bool send_config_load(struct sender *s, struct err *e);
/*
 * Reads the settings again, all or none; routes and policies have functions of their own. percenthack and envnoathost
 * stay: what they make of an address is found again at each attempt, and mail that waits keeps its way.
 */
bool send_config_reload(struct sender *s, struct err *e);

/* ---- send_policy.c ---- */
/* False: control/destinations cannot be read. A line that makes no sense is logged, and without effect. */
bool policies_load(struct sender *s, struct err *e);
/* Reads it again; where it cannot be used, that is logged, and the old settings stay. */
void policies_reload(struct sender *s);
/* For sched_options. */
bool policy_of(void *ctx, int channel, struct str key, struct policy *p);
void policy_provider_arrived(struct sender *s, struct str host, struct str names);

/* ---- send_journal.c ---- */
/* May be called again until it succeeds. */
bool journal_link_start(struct sender *s, struct err *e);
/* Tries to connect again if the connection was lost. */
void journal_link_retry(struct sender *s);
bool journal_link_up(const struct sender *s);
/* Much waits to be sent; the loop turns again when it goes out. */
bool journal_link_busy(const struct sender *s);
void journal_open_message(struct sender *s, uint64_t id, enum open_purpose purpose, struct job *job, bool envelope,
			  bool content);
void journal_result(struct sender *s, uint64_t id, uint32_t recipient, char letter, struct str text);
/* answers: as in the DEFER packet; may be empty. */
void journal_defer(struct sender *s, struct msg *m, int64_t due, struct str answers);
void journal_edit(struct sender *s, uint32_t ticket, uint64_t id, uint32_t recipient, struct str address);
void journal_ordered(struct sender *s, uint32_t ticket, enum order_status status, const char *text);
void journal_end(struct sender *s, uint64_t id);
/* The sender has been told about these recipients; n = 0: that the message is late. */
void journal_reported(struct sender *s, uint64_t id, const uint32_t *recipients, uint32_t n);
void journal_ask_notes(struct sender *s, uint64_t id);
/* Sends what still waits, blocking; at exit. */
void journal_link_drain(struct sender *s);

/* ---- send_message.c ---- */
/* One MESSAGE packet (the reader stands behind the type); complete says that it was the last of its message. */
bool message_packet_arrived(struct sender *s, struct wire_reader *r, uint64_t *id, bool *complete);
/* The envelope of a message is complete: announce it if it is new, make its jobs. */
void message_loaded(struct sender *s, uint64_t id, struct job *placeholder);
/* The address to deliver to for recipient i of the job's message, whose envelope is loaded. */
void message_recipient(const struct sender *s, const struct job *j, uint32_t i, struct buf *out);
/* A message the journal has, not known yet. */
void message_waiting(struct sender *s, uint64_t id, int64_t birth, int64_t due);
/* A job of m is over: forget the envelope, or the message, if nothing needs it. */
void message_settle(struct sender *s, struct msg *m);
/* It waits: forgets the envelope if that is of no use soon. */
void message_rest(struct msg *m);
/* Its envelope is not needed, or not right, any more. */
void message_drop_envelope(struct msg *m);
/* The message is finished, bounces and all. */
void message_end(struct sender *s, struct msg *m);
/* The journal cannot read it any more. */
void message_lost(struct sender *s, struct msg *m, struct job *job);

/* ---- send_delivery.c ---- */
/* May be called again until it succeeds. */
bool spawners_start(struct sender *s, struct err *e);
void spawners_retry(struct sender *s);
/* Asks qmail-rspawn for the exchangers of a domain; false: it is not there. */
bool delivery_ask_provider(struct sender *s, struct str host);
/* The content came: hand it over. fd -1: it could not be had. Takes fd. */
void delivery_start(struct sender *s, struct job *job, int fd);
/* The job's destination is down, and its envelope is loaded: reports it as the last attempt there ended. */
void delivery_verdict(struct sender *s, struct job *job);
/* A recipient of a message whose envelope is loaded has failed for good. */
void delivery_failed(struct sender *s, struct msg *m, uint32_t recipient, struct str text);
uint32_t deliveries_running(const struct sender *s);
uint32_t deliveries_running_in(const struct sender *s, int channel);

/* ---- send_bounce.c ---- */
/* Does the sender have to be told something now? Then that is begun, and message_settle called when it is done. */
bool bounce_due(struct sender *s, struct msg *m);
/* Is the last notice of a message that has ended being made? */
bool bounce_begun(struct sender *s, uint64_t id);
/* Is the sender to be told of a recipient's failure, success, delay? asked: in so many words. */
bool bounce_wanted(const struct envelope *env, uint32_t recipient);
bool bounce_success_wanted(const struct envelope *env, uint32_t recipient);
bool bounce_delay_wanted(const struct send_config *c, const struct envelope *env, uint32_t recipient, bool *asked);
/* What the note of a success begins with. */
enum success_letter { SUCCESS_DELIVERED = 'd', SUCCESS_RELAYED = 'r', SUCCESS_EXPANDED = 'e' };
void bounce_content(struct sender *s, uint64_t id, int fd);
void bounce_note(struct sender *s, uint64_t id, uint32_t recipient, uint8_t letter, struct str text);
void bounce_notes_end(struct sender *s, uint64_t id);
/*
 * A new message came from this process. If that is the child that submits a
 * notice, the notice is done: the log has it before the new message, as log
 * tools expect.
 */
void bounce_arrived(struct sender *s, uint32_t uid, uint32_t pid);

/* ---- send_order.c ---- */
void order_arrived(struct sender *s, const struct order_packet *o);
/* The envelope that an order waited for is there (or cannot be had). */
void order_envelope(struct sender *s, uint64_t id, bool loaded);

/* ---- qmail-send.c ---- */
/* Starts whatever can be started now; called at the end of each turn. */
void send_pump(struct sender *s);
/* Reads again what SIGHUP is for. What cannot be used is logged, and stays as it was. False: so it is with routes. */
bool send_reread(struct sender *s, struct err *e);

/* ---- send_log.c ---- */
/* Lines are collected and written at the end of a turn. */
enum log_format { LOG_QMAIL, LOG_JSON, LOG_JSON_ONLY };
void log_set_format(enum log_format f);
void log_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_new_message(const struct msg *m);
struct log_delivery {
	uint64_t number;
	const struct msg *m;
	uint32_t recipient; /* index into the envelope */
};
/* to: where it is delivered. */
void log_starting(const struct log_delivery *d, int channel, struct str to);
void log_end(const struct msg *m);
void log_bounce(const struct msg *m, unsigned long qp);
/* kind: delay or success */
void log_notice(const struct msg *m, const char *kind, unsigned long qp);
void log_status(const struct sender *s);
/* refusal: why it was not done, or NULL */
void log_order(uint64_t message, const char *order, uint32_t uid, const char *refusal);
/* letter K, Z or D */
void log_report(const struct log_delivery *d, char letter, struct str text);
void log_flush(void);

#endif

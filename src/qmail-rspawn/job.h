/*
 * job: one delivery, from the request to the last result.
 *
 * The addresses of the destination are tried in turn. An address that cannot
 * be reached, or whose server fails before it could take the message, leads
 * to the next one; a reused session that turns out to be dead leads to a
 * fresh connection with the same address.
 */
#ifndef QMAIL_RSPAWN_JOB_H
#define QMAIL_RSPAWN_JOB_H

#include "outbound/destination.h"
#include "qmail-rspawn/sender.h"
#include "smtpclient/clientsession.h"

struct job {
	struct job *prev, *next; /* all jobs */
	struct rspawn *r;
	struct sender *sender;
	struct outsettings_ref *settings;
	const struct outidentity *identity; /* in the settings */
	char *packet;                       /* the request's memory */
	struct delivery_request request;
	int message;        /* descriptor of the content */
	uint64_t wire_size; /* see struct transaction */
	bool exact, partial;
	struct destination destination;
	uint32_t question;            /* at the DNS, 0: none */
	size_t address;               /* which one is next */
	bool fresh;                   /* the next attempt needs a new connection */
	bool again;                   /* the next attempt should wait for the session that ends its last one now */
	bool tls_failed;              /* TLS did, on the connection that was the last attempt */
	bool offers_failed;           /* BDAT or more that the server offers did, perhaps */
	uint64_t offset;              /* how much of the content the session has */
	struct session_policy policy; /* for the address that is being tried */
	bool deferred_by_load;        /* an address was left out for want of descriptors or memory */
	int no_source;                /* an address was left out for want of ours: errno */
	bool no_source_v6;            /* of which family */
	uint8_t about_destination;    /* DELIVERY_UNREACHABLE … for its results */
	struct transaction transaction;
	struct transaction_wishes wishes;
	/* After a server took only some of the recipients: those of the transaction, and which of the request's they
	 * are. */
	struct str *rest;
	uint32_t *index; /* NULL: the same */
	/* For the report: what became of addresses, a line each; which part of it is about the server whose words are
	 * in the transaction; and that server's name, where it is not its address. */
	struct buf tried;
	size_t said_at, said_n;
	struct buf server;
	struct job *next_waiting; /* in the peer's queue */
	struct wrapper *wrapper;  /* NULL: we deliver ourselves */
};

/*
 * Takes over the descriptor; copies the packet, which was found to hold a
 * good request. Ends by calling sender_release.
 */
void job_start(struct rspawn *r, struct sender *sender, struct str packet, int message);

/* One recipient's result, and the end of the job when all have theirs. */
void job_report(struct job *j, uint32_t recipient, char letter, struct str text);
void job_end(struct job *j);

/* The address it was given to could not be reached; `error`: errno. */
void job_unreachable(struct job *j, int error);

/* Its transaction is done. `reused`: on a session that had served other messages before. */
void job_done(struct job *j, bool reused);

/* The next piece of its content at this offset; 0 at the end, -1 on an error. */
ssize_t job_read(const struct job *j, uint64_t offset, char *to, size_t n);

/* Gives up a delivery without a report: the process ends. */
void job_free(struct job *j);

#endif

/*
 * clientsession: an SMTP session on the sending side, without sockets.
 *
 * Bytes from the server go in, bytes for it come out; whoever owns the
 * connection reads, writes and keeps time. Transactions run one after the
 * other; the commands of the next one may be written behind the final dot of
 * the one before (RFC 2920), so that a message costs one round trip.
 *
 *	session_init(&s, "192.0.2.1", STR("me.example"));
 *	session_begin(&s, &t);
 *	until t.stage == TRANSACTION_DONE:
 *		write s.out, tell session_wrote;
 *		session_wants_content: session_content …, session_content_end;
 *		else read, session_input; at the end of input session_lost.
 *
 * The server is not trusted: replies are bounded (smtpreply.h), and one that
 * fits no question ends the session. A reply of 421 ends it too.
 */
#ifndef SMTPCLIENT_CLIENTSESSION_H
#define SMTPCLIENT_CLIENTSESSION_H

#include "smtpclient/dotstuff.h"
#include "smtpclient/ehlo.h"
#include "smtpclient/smtpreply.h"
#include "smtpclient/transaction.h"

/* What may wait to be written: an envelope of a hundred long addresses, or pieces of content. */
#define SESSION_OUT_MAX (16u << 20)

enum session_stage {
	SESSION_GREETING,
	SESSION_EHLO,
	SESSION_HELO,
	SESSION_READY,
	SESSION_BROKEN, /* close the connection */
};

struct session {
	enum session_stage stage;
	char peer[48];   /* the server's address, for reports */
	struct str helo; /* our name; the caller's memory */
	struct ehlo ehlo;
	struct buf out;                     /* to be written */
	uint64_t written;                   /* bytes written so far */
	uint64_t dot_at;                    /* `written` after the last final dot */
	size_t replies;                     /* whole replies received */
	size_t messages;                    /* transactions that ended in good order */
	bool must_reset;                    /* the server has an envelope that was given up */
	struct transaction *current, *next; /* the caller's */
	struct smtpreply reply;
	struct dotstuff dots;
};

void session_init(struct session *s, const char *peer, struct str helo);
/* Transactions that are not done stay so; the caller knows them. */
void session_free(struct session *s);

/* May session_begin be called? With `ahead`, also while another transaction still waits for its last reply. */
bool session_takes(const struct session *s, bool ahead);

/*
 * Starts a transaction (stage NEW). Recipients that cannot be sent get their
 * record at once. The transaction must live until it is done or the session
 * is freed.
 */
void session_begin(struct session *s, struct transaction *t);

/* Is the current transaction waiting for session_content? */
bool session_wants_content(const struct session *s);

/* The next piece of the message, with LF line ends. Write s->out between large pieces. */
void session_content(struct session *s, struct str piece);
/* The content is complete. One whose last line has no LF fails for good, and ends the session. */
void session_content_end(struct session *s);
/* The content cannot be read. Ends the session. */
void session_content_failed(struct session *s);

/* n bytes from the front of s->out were written. */
void session_wrote(struct session *s, size_t n);

void session_input(struct session *s, struct str bytes);

/* The connection ended or broke, or time is up. */
void session_lost(struct session *s);

/* Appends QUIT; the session is of no use afterwards. */
void session_quit(struct session *s);

#endif

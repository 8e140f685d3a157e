/*
 * clientsession: an SMTP session on the sending side, without sockets.
 *
 * Bytes from the server go in, bytes for it come out; whoever owns the
 * connection reads, writes and keeps time. Transactions run one after the
 * other; the commands of the next one may be written behind the content of
 * the one before (RFC 2920), so that a message costs one round trip. To a
 * server that offers CHUNKING (RFC 3030), content whose exact size is known
 * goes as one chunk, which need not wait for anything if it is small.
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
#include "smtpclient/qmtpreply.h"
#include "smtpclient/smtpreply.h"
#include "smtpclient/transaction.h"

/* What may wait to be written: an envelope of a hundred long addresses, or pieces of content. */
#define SESSION_OUT_MAX (16u << 20)

enum session_tls {
	SESSION_TLS_NEVER,
	SESSION_TLS_MAY,  /* where the server offers it */
	SESSION_TLS_MUST, /* no transaction without */
};

/* How to speak to a server. The zero value: SMTP in clear text. */
struct session_policy {
	enum session_tls tls;
	bool wrapped;                      /* TLS from the first byte on, before the greeting */
	const struct tls_anchors *anchors; /* whom to trust; NULL: every certificate will do */
	struct str name;                   /* the server's, which its certificate must be for */
	bool lmtp;                         /* RFC 2033 */
	bool qmtp;                         /* contract §16.1; TLS only from the first byte on */
	struct str user, password;         /* for AUTH; no user: none */
	unsigned mechanisms;               /* enum ehlo_auth that may be used */
	bool auth_in_clear;                /* also without TLS */
	bool no_chunking;                  /* no BDAT, even where it is offered */
	bool no_pipelining;                /* one command at a time, likewise */
	bool no_parameters;                /* for MAIL and RCPT, but for SMTPUTF8; likewise */
	const char *problem;               /* why TLS cannot be had although it must; NULL: none */
};

enum session_stage {
	SESSION_GREETING,
	SESSION_EHLO,
	SESSION_HELO,
	SESSION_STARTTLS,  /* the reply to it comes next */
	SESSION_HANDSHAKE, /* TLS is the caller's to begin: session_secured or session_tls_failed */
	SESSION_AUTH,
	SESSION_READY,
	SESSION_BROKEN, /* close the connection */
};

/* May sessions with the same server that were begun with these policies serve each other's messages? */
bool session_policy_eq(const struct session_policy *a, const struct session_policy *b);

struct session {
	enum session_stage stage;
	char peer[48];   /* the server's address, for reports */
	struct str helo; /* our name; the caller's memory */
	struct session_policy policy;
	bool secure;     /* what is said now is said through TLS */
	bool busy;       /* why the session ended: the server had no place for it now */
	bool tls_failed; /* why the session ended: without TLS it may do better */
	/* Perhaps why the session ended: without these it may do better. */
	bool chunking_failed;
	bool pipelining_failed;
	bool parameters_failed;
	unsigned mechanism; /* enum ehlo_auth in use */
	unsigned auth_step;
	struct ehlo ehlo;
	struct buf out;     /* to be written */
	uint64_t written;   /* bytes written so far */
	size_t replies;     /* whole replies received */
	size_t rcpt_max;    /* recipients that the server was seen to take at a time, 0: not known */
	size_t messages;    /* transactions that ended in good order */
	size_t begun;       /* transactions */
	struct buf domains; /* of recipients so far, where their number is limited; each ends in LF */
	size_t ndomains;
	bool must_reset;                    /* the server has an envelope that was given up */
	bool silent;                        /* why the session ended: time was up */
	bool out_of_step;                   /* the server waits for content that will not come */
	struct transaction *current, *next; /* the caller's */
	struct smtpreply reply;             /* in QMTP its text only */
	struct qmtpreply qmtp;
	struct dotstuff dots;
};

void session_init(struct session *s, const char *peer, struct str helo);
/* As session_init, with a policy; what it refers to must outlive the session. */
void session_init_policy(struct session *s, const char *peer, struct str helo, const struct session_policy *policy);
/* Transactions that are not done stay so; the caller knows them. */
void session_free(struct session *s);

/* May session_begin be called? With `ahead`, also while another transaction still waits for its last reply. */
bool session_takes(const struct session *s, bool ahead);

/* Is the transaction within the limits that the server has announced for a session? */
bool session_admits(const struct session *s, const struct transaction *t);

/*
 * Starts a transaction (stage NEW). Recipients that cannot be sent get their
 * record at once. The transaction must live until it is done or the session
 * is freed.
 */
void session_begin(struct session *s, struct transaction *t);

/* The transaction that waits for session_content, the current one or one that was begun ahead; NULL: none does. */
const struct transaction *session_wants_content(const struct session *s);

/* The next piece of the message, with LF line ends. Write s->out between large pieces. */
void session_content(struct session *s, struct str piece);
/* The content is complete. One whose last line has no LF fails for good, and ends the session. */
void session_content_end(struct session *s);
/* The content cannot be read. Ends the session, when the transaction before this one has its reply. */
void session_content_failed(struct session *s);

/* n bytes from the front of s->out were written. */
void session_wrote(struct session *s, size_t n);

void session_input(struct session *s, struct str bytes);

/* TLS is in force: what comes from now on was decrypted. */
void session_secured(struct session *s);
/* It will not be. `why`: in words. Ends the session. */
void session_tls_failed(struct session *s, const char *why);

/* The connection ended or broke. */
void session_lost(struct session *s);
/* Time is up. */
void session_late(struct session *s);

/* Appends QUIT; the session is of no use afterwards. */
void session_quit(struct session *s);

#endif

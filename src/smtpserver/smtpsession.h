/*
 * smtpsession: one SMTP session as a machine without I/O (RFC 5321, contract
 * §12). Bytes of the client go in, replies come out; the queue, the clock and
 * the policy are behind a table of functions, so that tests can be them.
 *
 * Use: smtp_session_start, then smtp_session_feed with whatever was read,
 * writing out the replies whenever more input has to be waited for, until
 * `ended` is set; smtp_session_close in every case.
 */
#ifndef SMTPSERVER_SMTPSESSION_H
#define SMTPSERVER_SMTPSESSION_H

#include "smtpserver/hopcount.h"
#include "smtpserver/smtparg.h"
#include "smtpserver/smtpdata.h"
#include "smtpserver/smtpline.h"
#include "submit/submit.h"

enum smtp_dsn { SMTP_DSN_NONE, SMTP_DSN_RELAY, SMTP_DSN_ALL };

/* What is the same for all sessions. All views outlive the session. */
struct smtp_settings {
	struct str greeting;
	struct str localiphost; /* replaces [our.own.ip] in addresses, with has_localiphost */
	bool has_localiphost;
	uint64_t databytes;      /* largest message as stored, without our Received line; 0: any */
	uint64_t max_recipients; /* of one message */
	uint64_t max_errors;     /* refused commands since the last accepted message */
	enum smtp_dsn dsn;       /* which clients may ask for notifications (RFC 3461) */
	uint64_t max_idle;       /* commands that lead nowhere (NOOP, VRFY …) since then */
};

/* Who is calling. All views outlive the session. */
struct smtp_client {
	struct str ip, host, local;
	struct str info; /* $TCPREMOTEINFO, with has_info */
	bool has_info;
	bool relay;              /* $RELAYCLIENT is set: any recipient is allowed … */
	struct str relay_suffix; /* … and gets this appended */
	bool no_wishes;          /* what is asked for beside addresses would be lost: a filter takes the message */
};

/* One message on its way. Reset as a whole, in one place (smtp_transaction_reset). */
struct smtp_transaction {
	bool mail;       /* MAIL was accepted */
	bool sender_bad; /* by badmailfrom: every RCPT is refused */
	bool eightbit;   /* BODY=8BITMIME */
	bool queue_open; /* between begin and commit or cancel */
	bool too_big;
	uint64_t announced; /* its size, as the client says; 0: it does not */
	uint64_t bytes;     /* stored so far */
	uint64_t nrecipients;
	struct buf sender;
	struct buf recipients; /* each with a NUL behind it */
	uint8_t ret;           /* enum dsn_ret */
	struct buf envid;
	struct buf wishes; /* of recipients with any: u32 which one, u8 notify, str orcpt (wire.h) */
	struct hopcount hops;
	enum smtpdata_state state;
};

enum smtp_permission {
	SMTP_ALLOWED,
	SMTP_REFUSED,
	SMTP_UNDECIDED, /* the answer cannot be found now: 421 */
};

enum smtp_mailbox {
	SMTP_MAILBOX_TAKES, /* or may take, or it cannot be found out now */
	SMTP_MAILBOX_ABSENT,
	SMTP_MAILBOX_FULL, /* and mail for it bounces */
};

enum smtp_note {
	SMTP_NOTE_ACCEPTED,  /* a message; its transaction is still there; text is the queue's number */
	SMTP_NOTE_FAILED,    /* a message was not accepted; text is the reply */
	SMTP_NOTE_RECIPIENT, /* a recipient was refused; text is the address */
};

struct smtp_session;

/* Addresses come unquoted; `at` is the index of the @ before the domain, or the length. */
struct smtp_ops {
	int64_t (*now)(void *ctx); /* seconds since 1970 */
	bool (*sender_is_bad)(void *ctx, struct str sender, size_t at);
	enum smtp_permission (*recipient)(void *ctx, struct str recipient, size_t at);
	/* Is [literal] an address of this machine? */
	bool (*own_address)(void *ctx, struct str literal);
	/* One message: begin, content …, then commit or cancel. begin false: the queue cannot be reached. */
	bool (*begin)(void *ctx, const struct smtp_session *s);
	void (*content)(void *ctx, struct str data);
	bool (*commit)(void *ctx, const struct smtp_session *s, struct submit_result *r);
	void (*cancel)(void *ctx);
	/* For the log; text comes from outside. */
	void (*note)(void *ctx, const struct smtp_session *s, enum smtp_note what, struct str text);
	/* Would a message of this size (0: not known) certainly bounce? As it would be queued. NULL: no such check. */
	enum smtp_mailbox (*mailbox)(void *ctx, struct str recipient, uint64_t bytes);
};

struct smtp_counts {
	uint64_t messages, recipients, bytes, refusals;
};

struct smtp_session {
	const struct smtp_settings *settings;
	const struct smtp_client *client;
	const struct smtp_ops *ops;
	void *ctx;
	const char *ended; /* how it ended, in words; NULL while it goes on */
	bool quit;         /* it ended with QUIT */
	bool in_data;      /* the next input is content, not commands */
	bool helo_given;
	struct buf helo;
	struct smtpline line;
	struct smtparg arg; /* of the current MAIL or RCPT */
	struct smtp_transaction t;
	struct buf decoded; /* content of the current piece of input */
	struct smtp_counts counts;
	uint64_t errors, idle; /* since the last accepted message */
	struct buf *out;       /* where replies go, while a function below runs */
};

/* Replies are held back up to about this many bytes; then feed wants them written. */
#define SMTP_REPLIES_MAX 16384

/* Begins a session; out gets the greeting. */
void smtp_session_start(struct smtp_session *s, const struct smtp_settings *settings, const struct smtp_client *client,
			const struct smtp_ops *ops, void *ctx, struct buf *out);

/*
 * Takes input and appends replies to out; returns how many bytes were taken:
 * fewer than all when out is full (write it, then feed the rest) or when the
 * session has ended (the rest is to be thrown away).
 */
size_t smtp_session_feed(struct smtp_session *s, struct str input, struct buf *out);

/* The client took too long: says so and ends the session. */
void smtp_session_timeout(struct smtp_session *s, struct buf *out);

/* Gives up an unfinished message and frees everything; settings and client are the caller's. */
void smtp_session_close(struct smtp_session *s);

#endif

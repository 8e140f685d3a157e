/*
 * transaction: one message to one or more recipients in an SMTP session, and
 * what became of it.
 *
 * Results are kept as qmail-remote reports them (contract §11.1): a record
 * for each recipient that the server was asked for, and one for the message.
 */
#ifndef SMTPCLIENT_TRANSACTION_H
#define SMTPCLIENT_TRANSACTION_H

#include "base/buf.h"

#define TRANSACTION_TEXT_MAX 10000 /* one record's text */
#define TRANSACTION_PARTIAL "SMTP cannot transfer messages with partial final lines. (#5.6.2)\n"

struct transaction_record {
	char letter;     /* recipients: r h s; message: K Z D; 0: none yet */
	struct buf text; /* lines end in LF; empty for r */
};

/* Where the session is with it: which reply comes next. */
enum transaction_stage {
	TRANSACTION_NEW,
	TRANSACTION_RESET,
	TRANSACTION_MAIL,
	TRANSACTION_RCPT,
	TRANSACTION_DATA,
	TRANSACTION_BODY, /* no reply is due; content is wanted */
	TRANSACTION_DOT,  /* the verdict, be it on the final dot or on the last chunk */
	TRANSACTION_DONE,
};

/* Where the content is. By BDAT it may be ahead of the replies. */
enum transaction_body { TRANSACTION_BODY_NOT_YET, TRANSACTION_BODY_WANTED, TRANSACTION_BODY_SENT };

/* What the sender wants to hear of the message (RFC 3461). The memory behind it is the caller's. */
struct transaction_wishes {
	uint8_t ret;             /* enum dsn_ret */
	struct str envid;        /* in xtext; empty: none */
	const uint8_t *notify;   /* of each recipient: enum dsn_notify, or-ed */
	const struct str *orcpt; /* of each recipient, as it came; empty: none */
	const uint32_t *index;   /* where in these arrays recipient i of the transaction stands; NULL: at i */
};

struct transaction {
	/* What to send. The memory behind the views is the caller's. */
	struct str sender;
	const struct str *recipients;
	size_t nrecipients;
	uint64_t wire_size; /* for SIZE= (RFC 1870): with CRLFs, without added dots; 0: unknown */
	bool exact;         /* wire_size is, and the last line ends in LF: BDAT and QMTP may be used */
	bool partial;       /* the last line was seen not to end in LF */
	bool eightbit, smtputf8;
	const struct transaction_wishes *wishes; /* NULL: none */
	/*
	 * Recipients that are too many for the server may be left without a
	 * record: transaction_left tells whether to send the message again.
	 */
	bool may_split;

	/* What became of it. */
	struct transaction_record *rcpt; /* owned, one for each recipient */
	struct transaction_record message;
	enum transaction_stage stage;
	/*
	 * The session failed before the server could take the message: another
	 * exchanger may be tried. The records are the report if there is none.
	 */
	bool try_another;
	bool wishes_told; /* the server understands wishes and was told these: reports of success are up to it */
	size_t replies;   /* received in this transaction */
	/* The connection ended before this came from the server, in words; NULL: it did not. `late`: time was up. */
	const char *lost_before;
	bool late;

	/* The session's own notes. */
	size_t next_rcpt; /* whose reply comes next */
	size_t end;       /* the first one that is not asked for */
	size_t accepted;  /* recipients */
	bool refused;     /* MAIL was */
	bool asked;       /* its commands are written */
	bool chunk;       /* its content goes by BDAT */
	enum transaction_body body;
	uint64_t chunk_left; /* bytes that the chunk still has room for */
	uint64_t end_at;     /* the session's `written` when all of the content is */
};

/* `recipients` and the views must outlive the transaction. */
void transaction_init(struct transaction *t, struct str sender, const struct str *recipients, size_t n);
void transaction_free(struct transaction *t);

/* Forgets all results, for another attempt. */
void transaction_restart(struct transaction *t);

/* Replaces a record. */
void transaction_record_set(struct transaction_record *r, char letter, struct str text);

/*
 * The message was delivered to some, or those that were asked for are refused: how many recipients are left for
 * another transaction?
 */
size_t transaction_left(const struct transaction *t);

/*
 * May this address be sent in a command? No control bytes, not too long, and
 * in the domain nothing that would end it.
 */
bool transaction_address_valid(struct str address);

/* Of two results K, Z or D: is the first not better than the second? */
bool transaction_no_better(char letter, char than);

/*
 * The delivery's result for one recipient, as qmail-rspawn makes it of the
 * records (contract §9.3): returns K, Z or D and appends the text.
 */
char transaction_result(const struct transaction *t, size_t recipient, struct buf *text);

#endif

/*
 * clientsession_internal: what the parts of a session have from each other.
 *
 *   clientsession        from the greeting to readiness; the end
 *   session_transaction  what happens within transactions
 *   session_envelope     MAIL and RCPT
 *   session_qmtp         the same in QMTP
 */
#ifndef SMTPCLIENT_CLIENTSESSION_INTERNAL_H
#define SMTPCLIENT_CLIENTSESSION_INTERNAL_H

#include "smtpclient/clientsession.h"

/* Replaces the record: before, the peer's address, after; `said`: the server's words follow. */
void session_report(struct session *s, struct transaction_record *r, char letter, const char *before, const char *after,
		    bool said);
/* Nothing more can be learnt from the server. Transactions without a report get this one. */
void session_end(struct session *s, const char *before, const char *after, bool said);
/* The same, for a reply that fits no question. */
void session_end_confused(struct session *s);

/* Sends what can be sent at once of a transaction that is current, or goes ahead. */
void session_ask(struct session *s, struct transaction *t);
/* A reply for the current transaction. */
void session_on_reply(struct session *s, int code);
/* RFC 5321 §3.8: a 421 while there is one, or not. */
void session_on_closing(struct session *s);

/* Append the command to s->out. */
void session_put_mail(struct session *s, const struct transaction *t);
void session_put_rcpt(struct session *s, const struct transaction *t, size_t i);

/* The address with its domain in A-labels; as it is where that cannot be. */
void session_add_ascii(struct buf *b, struct str address);

/* In place of session_ask, session_input; false: the transaction has a report and is not for the server. */
bool session_qmtp_ask(struct session *s, struct transaction *t);
void session_qmtp_input(struct session *s, struct str bytes);
/* What follows the content. */
void session_qmtp_envelope(struct session *s, const struct transaction *t);

/* For session_admits. */
void session_note_domains(struct session *s, const struct transaction *t);

/* The first recipient from i on that is asked for. */
size_t session_skip_unsendable(const struct transaction *t, size_t i);
/* Behind the last recipient that fits into one transaction. */
size_t session_end_of_envelope(const struct session *s, const struct transaction *t);
/* Does the message need SMTPUTF8, which this server does not know? */
bool session_needs_utf8(const struct session *s, const struct transaction *t);

#endif

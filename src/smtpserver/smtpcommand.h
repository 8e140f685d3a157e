/*
 * smtpcommand: what the files of the single commands (cmd_*.c) share; of no
 * use outside this folder.
 */
#ifndef SMTPSERVER_SMTPCOMMAND_H
#define SMTPSERVER_SMTPCOMMAND_H

#include "smtpserver/smtpsession.h"

#define SMTP_HELO_MAX 1024    /* of a longer HELO argument the beginning is kept */
#define SMTP_DATA_PIECE 65536 /* content is decoded in pieces of at most this size */

/* Each gets the argument without leading spaces and appends its reply. */
void cmd_helo(struct smtp_session *s, struct str arg);
void cmd_ehlo(struct smtp_session *s, struct str arg);
void cmd_mail(struct smtp_session *s, struct str arg);
void cmd_rcpt(struct smtp_session *s, struct str arg);
void cmd_data(struct smtp_session *s, struct str arg);
void cmd_rset(struct smtp_session *s, struct str arg);
void cmd_noop(struct smtp_session *s, struct str arg);
void cmd_vrfy(struct smtp_session *s, struct str arg);
void cmd_help(struct smtp_session *s, struct str arg);
void cmd_quit(struct smtp_session *s, struct str arg);
void cmd_unknown(struct smtp_session *s, struct str arg);
void cmd_foreign(struct smtp_session *s, struct str arg);

/* Takes content off *input (cmd_data.c). */
void smtp_data_input(struct smtp_session *s, struct str *input);

/*
 * Parses the argument of MAIL or RCPT into s->arg and replaces an address
 * literal of ours by localiphost. False: the refusal was sent.
 */
bool smtp_read_address(struct smtp_session *s, struct str arg, enum smtparg_set set);

/* May this client ask for notifications? */
bool smtp_offers_dsn(const struct smtp_session *s);

/* Appends a reply line; text without CR LF. */
void smtp_reply(struct smtp_session *s, const char *text);
/* The same for a refusal: counted against the client. */
void smtp_refuse(struct smtp_session *s, const char *text);
/* A last reply; `how` is for the log. */
void smtp_end(struct smtp_session *s, const char *text, const char *how);
/* The client sent a bare LF. */
void smtp_end_bare_lf(struct smtp_session *s);

/* Forgets the message: sender, recipients and whatever was given to the queue. The only place that does. */
void smtp_transaction_reset(struct smtp_session *s);

#endif

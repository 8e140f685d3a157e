/* clientsession_internal: what clientsession.c has from session_envelope.c. */
#ifndef SMTPCLIENT_CLIENTSESSION_INTERNAL_H
#define SMTPCLIENT_CLIENTSESSION_INTERNAL_H

#include "smtpclient/clientsession.h"

/* Append the command to s->out. */
void session_put_mail(struct session *s, const struct transaction *t);
void session_put_rcpt(struct session *s, const struct transaction *t, size_t i);

/* The first recipient from i on that is asked for. */
size_t session_skip_unsendable(const struct transaction *t, size_t i);
/* Behind the last recipient that fits into one transaction. */
size_t session_end_of_envelope(const struct session *s, const struct transaction *t);
/* Does the message need SMTPUTF8, which this server does not know? */
bool session_needs_utf8(const struct session *s, const struct transaction *t);

#endif

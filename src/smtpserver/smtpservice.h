/*
 * smtpservice: what a real session stands on: the policy, the queue and the
 * clock, behind the table that smtpsession wants.
 */
#ifndef SMTPSERVER_SMTPSERVICE_H
#define SMTPSERVER_SMTPSERVICE_H

#include "smtpserver/mailboxcheck.h"
#include "smtpserver/smtppolicy.h"

struct smtp_service {
	struct smtp_policy *policy;
	struct submit submit;
	struct mailbox_check mailboxes;
	/* One line about something that happened, or NULL; no line end in it, may hold any bytes. */
	void (*log)(const char *line);
};

/* The table for struct smtp_service as ctx. */
const struct smtp_ops *smtp_service_ops(void);

/* Logs how a session ended. */
void smtp_service_log_end(const struct smtp_service *v, const struct smtp_session *s);

/* Closes the connection to the queue. */
void smtp_service_close(struct smtp_service *v);

#endif

/*
 * smtpd_serve: one SMTP session on two descriptors.
 */
#ifndef QMAIL_SMTPD_SMTPD_SERVE_H
#define QMAIL_SMTPD_SMTPD_SERVE_H

#include "smtpserver/smtpservice.h"

struct smtpd_connection {
	int in, out;
	bool timed; /* the sockets themselves time out (SO_RCVTIMEO, SO_SNDTIMEO); otherwise poll is used */
	struct smtp_policy *policy;
	const struct smtp_client *client;
	void (*log)(const char *line); /* NULL: no log */
};

/* Serves the session to its end. Returns the exit code: 0 after QUIT, else 1. */
int smtpd_serve(const struct smtpd_connection *c);

#endif

/*
 * smtpd_daemon: qmail-smtpd with its own listening sockets.
 */
#ifndef QMAIL_SMTPD_SMTPD_DAEMON_H
#define QMAIL_SMTPD_SMTPD_DAEMON_H

#include "base/err.h"
#include "base/str.h"

/*
 * Listens on the n addresses given, or without any on those in
 * control/smtplisten (without that, on port 25 of all addresses), and serves
 * until TERM those whom the rules let in: the file `rules`, or without one
 * (NULL) that which control/smtprules names. As root it becomes qmaild after
 * binding. False: it could not start.
 */
bool smtpd_daemon(const struct str *addresses, size_t n, const char *rules, struct err *e);

#endif

/*
 * outsettings: the control files of remote delivery (contract §2.2).
 *
 *   helohost        our name in HELO and EHLO; without the file: me
 *   smtproutes      domain:relay[:port]
 *   timeoutconnect  seconds for connecting to one address
 *   timeoutremote   seconds for one reply, and for each piece of a message to go out
 *   concurrencyperhost  sessions with one address at a time (qmail-rspawn)
 */
#ifndef OUTBOUND_OUTSETTINGS_H
#define OUTBOUND_OUTSETTINGS_H

#include "conf/control.h"
#include "outbound/ownaddress.h"

struct outsettings {
	struct buf helo;
	struct buf me;
	struct control_map smtproutes;
	uint64_t timeout_connect; /* seconds, at least 1 */
	uint64_t timeout_remote;
	uint64_t per_host;
	struct ownaddresses own;
};

/* False: a file cannot be read, or there is no name to say in HELO. *s is empty then. */
bool outsettings_load(struct outsettings *s, struct err *e);
void outsettings_free(struct outsettings *s);

/* A number that changes when any of the files does. */
uint64_t outsettings_fingerprint(void);

#endif

/*
 * exchange: one transaction over TCP, blocking: each address in turn until
 * one gives a verdict.
 */
#ifndef QMAIL_REMOTE_EXCHANGE_H
#define QMAIL_REMOTE_EXCHANGE_H

#include "outbound/destination.h"
#include "smtpclient/sessionwire.h"

/*
 * The content is read from descriptor 0 when a server wants it. Afterwards
 * t holds the report, if a server was reached; recipients without a record
 * were not asked for. False: another destination may do better.
 */
bool exchange(struct outsettings *s, const struct destination *d, struct transaction *t);

#endif

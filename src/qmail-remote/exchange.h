/*
 * exchange: one transaction over TCP, blocking: each address in turn until
 * one gives a verdict.
 */
#ifndef QMAIL_REMOTE_EXCHANGE_H
#define QMAIL_REMOTE_EXCHANGE_H

#include "outbound/destination.h"
#include "smtpclient/clientsession.h"

/*
 * The content is read from descriptor 0 when a server wants it. Afterwards
 * t holds the report; recipients without a record were not asked for.
 */
void exchange(const struct outsettings *s, const struct destination *d, struct transaction *t);

#endif

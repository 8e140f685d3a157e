/*
 * provider: answers qmail-send's question who takes mail for a domain
 * (wire/providerproto.h).
 */
#ifndef QMAIL_RSPAWN_PROVIDER_H
#define QMAIL_RSPAWN_PROVIDER_H

#include "qmail-rspawn/rspawn.h"
#include "qmail-rspawn/sender.h"

/* Answers by sender_packet, at once or later. */
void provider_ask(struct rspawn *r, struct sender *sender, struct str host);

/* Forgets all questions: the process ends. */
void providers_free(struct rspawn *r);

#endif

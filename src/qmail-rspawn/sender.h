/*
 * sender: the packet connections of qmail-send to qmail-rspawn
 * (wire/delivery.h). A malformed request ends its connection.
 */
#ifndef QMAIL_RSPAWN_SENDER_H
#define QMAIL_RSPAWN_SENDER_H

#include "qmail-rspawn/rspawn.h"
#include "wire/delivery.h"

struct sender;

/* Accepts on listenfd from now on. */
struct senders *senders_new(struct rspawn *r, int listenfd);
/* No new requests or connections; results still go out. */
void senders_stop(struct senders *all);
void senders_free(struct senders *all);

/* Sends a result; kept until it can be sent. */
void sender_result(struct sender *s, const struct delivery_result *result);

/* The same for any packet. */
void sender_packet(struct sender *s, const struct buf *packet);

/* A job that begins or ends its use of the sender. */
void sender_use(struct sender *s);
void sender_release(struct sender *s);

/* Has qmail-send gone? Then nobody waits for results. */
bool sender_gone(const struct sender *s);

#endif

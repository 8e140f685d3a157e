/*
 * qmqprequest: what a QMQP client sends, and to whom. Pure.
 */
#ifndef QMTP_QMQPREQUEST_H
#define QMTP_QMQPREQUEST_H

#include "base/buf.h"

/* With the envelope this stays below what servers take as one netstring. */
#define QMQPREQUEST_MESSAGE_MAX 1900000000u
#define QMQPREQUEST_ENVELOPE_MAX 90000000u

/*
 * Has qmail-queue's "F sender NUL T recipient NUL … NUL" come to its end, or
 * is it wrong already? *at is 0 at first, and kept while more comes.
 */
bool qmqprequest_envelope_whole(struct str envelope, size_t *at);

/* Appends the request; false when the envelope is not one. */
bool qmqprequest_make(struct str message, struct str envelope, struct buf *request);

/* "host", "host:port", "[v6]", "[v6]:port", "v6" from control/qmqpservers; *port stays where none is given. */
bool qmqprequest_server(struct str line, struct str *host, uint16_t *port);

#endif

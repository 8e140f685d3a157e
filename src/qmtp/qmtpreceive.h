/*
 * qmtpreceive: messages as QMTP and QMQP send them (contract §16), without
 * I/O of its own.
 *
 *   QMTP  message, sender, list of recipients; any number of these
 *   QMQP  one netstring of message, sender, recipients
 */
#ifndef QMTP_QMTPRECEIVE_H
#define QMTP_QMTPRECEIVE_H

#include "qmtp/netreader.h"

#define QMTP_ADDRESS_MAX 999 /* bytes of an address */

/* What happens with the message, in this order; either end or cancel comes last. */
struct qmtp_ops {
	bool (*begin)(void *ctx); /* false: it cannot be taken (NET_FAILED) */
	void (*content)(void *ctx, struct str data);
	/* An address that is too long or has a NUL is not usable, and empty. */
	void (*sender)(void *ctx, struct str address, bool usable);
	void (*recipient)(void *ctx, struct str address, bool usable);
	void (*end)(void *ctx);    /* it is whole */
	void (*cancel)(void *ctx); /* it will not be */
};

/* Takes one message. NET_OK: there may be another; NET_END: nothing (more) comes. */
enum net_state qmtp_receive(struct netreader *r, const struct qmtp_ops *ops, void *ctx);
/* Takes the message of a QMQP connection. */
enum net_state qmqp_receive(struct netreader *r, const struct qmtp_ops *ops, void *ctx);

/* What a server exits with: 0 when the client has gone, 100 when it broke the protocol, 111 for trouble here. */
int qmtp_exit_code(enum net_state state);

#endif

/*
 * connlimit: how many connections a client may have at a time, and all
 * clients of a network together. Pure.
 *
 * A rule can say so in variables that patches of tcpserver have: MAXCONNIP or
 * MAXPERIP for the client (IPv6: its /64), MAXCONNC for its class C network
 * (IPv6: its /48). 0, or no variable, is no limit.
 */
#ifndef NETRULES_CONNLIMIT_H
#define NETRULES_CONNLIMIT_H

#include "listener/inetaddr.h"

struct connlimit {
	unsigned from_client, from_network; /* what there is, this one included */
	unsigned per_client;                /* for clients without a variable; 0: no limit */
};

/* Is this connection still one of those allowed? get() finds variables; NULL: not set. */
bool connlimit_within(const struct connlimit *c, const char *(*get)(const void *ctx, const char *name),
		      const void *ctx);

/* Connections whose clients have the same value here count together as one network. */
uint64_t connlimit_network(const struct inetaddr *a);

#endif

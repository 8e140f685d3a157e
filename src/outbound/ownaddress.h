/*
 * ownaddress: this machine's own addresses, for finding out that a mail
 * exchanger is ourselves (contract §11.2).
 */
#ifndef OUTBOUND_OWNADDRESS_H
#define OUTBOUND_OWNADDRESS_H

#include "outbound/peeraddress.h"

struct ownaddresses {
	struct peeraddress *list; /* owned */
	size_t n, room;
	size_t system; /* the first ones are the system's */
};

/* Addresses of all interfaces that are up; none when the system does not say. */
void ownaddresses_load(struct ownaddresses *own);
/* False: the system has others by now. */
bool ownaddresses_current(const struct ownaddresses *own);

void ownaddresses_add(struct ownaddresses *own, const struct peeraddress *a);
void ownaddresses_free(struct ownaddresses *own);

/* Loopback addresses always are. */
bool ownaddresses_has(const struct ownaddresses *own, const struct peeraddress *a);

#endif

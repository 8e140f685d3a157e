/*
 * deadproto: operators ask qmail-rspawn which servers timed out, or tell it to
 * forget that. On the same socket as wire/delivery.h.
 *
 *   message    sender                    receiver                  largest size
 *   ASK        qmail-tcpto, qmail-tcpok  qmail-rspawn              2 bytes
 *   DEAD       qmail-rspawn              qmail-tcpto, qmail-tcpok  an address and two numbers
 *
 * The answer is a DEAD for each address, and one without address for the end.
 */
#ifndef WIRE_DEADPROTO_H
#define WIRE_DEADPROTO_H

#include "wire/wire.h"

#define DEAD_ADDRESS_MAX 48

struct dead_host {
	struct str address; /* as text; empty: there are no more */
	uint64_t seconds;   /* since the last connection that timed out */
	uint32_t timeouts;  /* in a row */
};

void dead_put_question(struct buf *b, bool forget);
void dead_put_host(struct buf *b, const struct dead_host *h);

/* False: it is another packet, or malformed. */
bool dead_get_question(struct str packet, bool *forget);
bool dead_get_host(struct str packet, struct dead_host *h);

#endif

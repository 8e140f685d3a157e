/*
 * packetqueue: packets that wait until their receiver reads.
 *
 * A sender in an event loop never blocks on a packet socket: what does not
 * fit now is kept, in order, and flushed when the socket is writable.
 */
#ifndef SYS_PACKETQUEUE_H
#define SYS_PACKETQUEUE_H

#include <stdbool.h>

#include "base/str.h"

struct packet_queue {
	struct packet *first, **last;
	size_t bytes; /* waiting */
};

void packet_queue_init(struct packet_queue *q);
/* Drops what waits and closes its descriptors. */
void packet_queue_clear(struct packet_queue *q);

/*
 * Sends one packet on sock (-1: keeps it), or keeps it behind those that
 * wait. passfd (or -1) belongs to the queue from now on. True when nothing
 * waits afterwards; false: call packet_queue_flush when sock is writable.
 */
bool packet_queue_send(struct packet_queue *q, int sock, struct str packet, int passfd);

/* Sends what waits; true when all is sent. Errors of the socket show when reading from it. */
bool packet_queue_flush(struct packet_queue *q, int sock);

#endif

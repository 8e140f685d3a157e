#include "sys/packetqueue.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "sys/unixsock.h"

struct packet {
	struct packet *next;
	int fd;
	size_t n;
	char bytes[];
};

void packet_queue_init(struct packet_queue *q)
{
	*q = (struct packet_queue){ .last = &q->first };
}

static void drop_first(struct packet_queue *q)
{
	struct packet *p = q->first;

	q->first = p->next;
	if (q->first == NULL)
		q->last = &q->first;
	q->bytes -= p->n;
	if (p->fd != -1)
		close(p->fd);
	free(p);
}

void packet_queue_clear(struct packet_queue *q)
{
	while (q->first)
		drop_first(q);
}

static void keep(struct packet_queue *q, struct str packet, int passfd)
{
	struct packet *p = mem_alloc(sizeof *p + packet.n);

	*p = (struct packet){ .fd = passfd, .n = packet.n };
	memcpy(p->bytes, packet.p, packet.n);
	*q->last = p;
	q->last = &p->next;
	q->bytes += packet.n;
}

bool packet_queue_send(struct packet_queue *q, int sock, struct str packet, int passfd)
{
	if (q->first == NULL && sock != -1 && unixsock_send(sock, packet, passfd) == 0) {
		if (passfd != -1)
			close(passfd);
		return true;
	}
	keep(q, packet, passfd);
	return false;
}

bool packet_queue_flush(struct packet_queue *q, int sock)
{
	while (q->first) {
		if (unixsock_send(sock, (struct str){ q->first->bytes, q->first->n }, q->first->fd) == -1)
			return false;
		drop_first(q);
	}
	return true;
}

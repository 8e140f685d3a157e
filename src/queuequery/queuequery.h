/*
 * queuequery: asking qmail-journal what is in the queue.
 *
 * For tools run by root, by the queue's users, or by the owner of a private
 * instance. home_open comes first. Blocking. While the mail system is down,
 * root and the queue's owner are answered by a qmail-journal of their own.
 */
#ifndef QUEUEQUERY_QUEUEQUERY_H
#define QUEUEQUERY_QUEUEQUERY_H

#include "base/err.h"
#include "wire/queueproto.h"

/* A connection; the caller closes it. */
bool queuequery_connect(int *fd, struct err *e);
bool queuequery_send(int fd, struct str packet, struct err *e);
/* One packet into b; *passed (may be NULL) gets a descriptor that came along, or -1. False at the end or on errors. */
bool queuequery_receive(int fd, struct buf *b, int *passed, struct err *e);
/* "answered in another version's words" */
bool queuequery_strange(struct err *e);

struct queue_figures {
	uint64_t messages; /* live */
	uint64_t bytes;    /* of their records */
	uint64_t segments;
	uint64_t accepted; /* since the journal started */
	uint64_t damaged;
	bool refusing; /* no room for new messages */
};

/* Only of a running system. */
bool queuequery_figures(struct queue_figures *f, struct err *e);

/*
 * Calls each() once for every message packet, by number (a message with very
 * many recipients comes in several, see MESSAGE_MORE); r stands on the first
 * recipient, to be read with queue_get_recipient.
 */
bool queuequery_list(void (*each)(void *ctx, const struct message_packet *m, struct wire_reader *r), void *ctx,
		     struct err *e);

#endif

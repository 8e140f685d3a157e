/*
 * queuequery: asking a running qmail-journal what is in the queue.
 *
 * For tools run by root, by the queue's users, or by the owner of a private
 * instance. home_open comes first. Blocking.
 */
#ifndef QUEUEQUERY_QUEUEQUERY_H
#define QUEUEQUERY_QUEUEQUERY_H

#include "base/err.h"
#include "wire/queueproto.h"

struct queue_figures {
	uint64_t messages; /* live */
	uint64_t bytes;    /* of their records */
	uint64_t segments;
	uint64_t accepted; /* since the journal started */
	uint64_t damaged;
	bool refusing; /* no room for new messages */
};

bool queuequery_figures(struct queue_figures *f, struct err *e);

/*
 * Calls each() once for every message packet (a message with very many
 * recipients comes in several, see MESSAGE_MORE); r stands on the first
 * recipient, to be read with queue_get_recipient.
 */
bool queuequery_list(void (*each)(void *ctx, const struct message_packet *m, struct wire_reader *r), void *ctx,
		     struct err *e);

#endif

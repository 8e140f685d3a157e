/*
 * queuemessage: the messages of a queue as values, for operators' tools, and
 * orders for them.
 */
#ifndef QUEUEQUERY_QUEUEMESSAGE_H
#define QUEUEQUERY_QUEUEMESSAGE_H

#include "queuequery/queuequery.h"

struct queue_recipient {
	struct str address;    /* as it was given */
	struct str attributes; /* encoded, as in the MESSAGE packet */
	bool done;
	char letter;       /* D: it has failed; Z: why it is not done yet; 0: no answer is known */
	struct str answer; /* of the last attempt */
};

struct queue_message {
	uint64_t id;
	int64_t birth, due; /* due 0: it is new, or being delivered; QUEUE_HELD */
	uint64_t size;
	uint32_t uid, pid;
	uint8_t flags; /* MESSAGE_… */
	struct str sender, attributes;
	struct queue_recipient *recipients;
	uint32_t nrecipients;
};

static inline bool queue_message_held(const struct queue_message *m)
{
	return m->due == (int64_t)QUEUE_HELD;
}

/*
 * Calls each() for all messages, by number, until it returns false. want:
 * OPEN_ANSWERS, or 0 for messages without answers. What m points to is gone
 * after the call.
 */
bool queue_each(uint8_t want, bool (*each)(void *ctx, const struct queue_message *m), void *ctx, struct err *e);

/*
 * One message with its content. each() may read content (a descriptor at its
 * start, closed afterwards). False also when there is no such message
 * (permanent). fd: from queuequery_connect.
 */
bool queue_with(int fd, uint64_t id, void (*each)(void *ctx, const struct queue_message *m, int content), void *ctx,
		struct err *e);

/*
 * Gives an order for each of n messages, many at a time; told() is called for
 * each with what came of it (text is empty when there is nothing to say).
 */
struct queue_orders {
	enum queue_order order;
	struct str one, two;
	const uint64_t *ids;
	size_t n;
	void (*told)(void *ctx, uint64_t id, enum order_status status, struct str text);
	void *ctx;
};

bool queue_give_orders(const struct queue_orders *o, struct err *e);

/* A running qmail-send reads its control files again, and has done so when this returns. */
bool queue_reread(struct err *e);

#endif

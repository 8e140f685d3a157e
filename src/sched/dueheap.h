/*
 * dueheap: a heap of things that have a time, the earliest first. The node is
 * embedded in the thing, so that it can be taken out from anywhere.
 */
#ifndef SCHED_DUEHEAP_H
#define SCHED_DUEHEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Packed, so that four more bytes of the thing fit behind it. */
struct due {
	int64_t at;
	uint32_t place; /* in the heap's array */
} __attribute__((packed, aligned(4)));

struct dueheap {
	struct due **nodes; /* nodes[0] is the earliest */
	uint32_t n, room;
	/* Which of two with the same time is first; NULL: any. */
	bool (*before)(const struct due *a, const struct due *b);
};

void dueheap_free(struct dueheap *h);

/* d->at is set by the caller and does not change while d is in the heap, but through the two functions below. */
void dueheap_add(struct dueheap *h, struct due *d);
void dueheap_take(struct dueheap *h, struct due *d);
void dueheap_move(struct dueheap *h, struct due *d, int64_t at);

/* After all times may have changed. */
void dueheap_order(struct dueheap *h);

/* NULL when it is empty. */
static inline struct due *dueheap_first(const struct dueheap *h)
{
	return h->n ? h->nodes[0] : NULL;
}

#endif

#include "sched/dueheap.h"

#include <stdlib.h>

#include "base/mem.h"

static bool earlier(const struct dueheap *h, const struct due *a, const struct due *b)
{
	if (a->at != b->at)
		return a->at < b->at;
	return h->before && h->before(a, b);
}

static void put(struct dueheap *h, uint32_t i, struct due *d)
{
	h->nodes[i] = d;
	d->place = i;
}

static void up(struct dueheap *h, uint32_t i)
{
	struct due *d = h->nodes[i];

	for (; i && earlier(h, d, h->nodes[(i - 1) / 2]); i = (i - 1) / 2)
		put(h, i, h->nodes[(i - 1) / 2]);
	put(h, i, d);
}

static void down(struct dueheap *h, uint32_t i)
{
	struct due *d = h->nodes[i];

	for (;;) {
		uint32_t k = 2 * i + 1;

		if (k + 1 < h->n && earlier(h, h->nodes[k + 1], h->nodes[k]))
			k++;
		if (k >= h->n || !earlier(h, h->nodes[k], d))
			break;
		put(h, i, h->nodes[k]);
		i = k;
	}
	put(h, i, d);
}

void dueheap_free(struct dueheap *h)
{
	free(h->nodes);
	h->nodes = NULL;
	h->n = h->room = 0;
}

void dueheap_add(struct dueheap *h, struct due *d)
{
	if (h->n == h->room) {
		/* Most destinations have one message waiting. */
		h->room = h->room ? 2 * h->room : 1;
		h->nodes = mem_array(h->nodes, h->room, sizeof(struct due *));
	}
	h->nodes[h->n] = d;
	up(h, h->n++);
}

void dueheap_take(struct dueheap *h, struct due *d)
{
	uint32_t i = d->place;
	struct due *last = h->nodes[--h->n];

	if (last != d) {
		put(h, i, last);
		up(h, i);
		down(h, last->place);
	}
	if (h->n == 0)
		dueheap_free(h);
}

void dueheap_move(struct dueheap *h, struct due *d, int64_t at)
{
	d->at = at;
	up(h, d->place);
	down(h, d->place);
}

void dueheap_order(struct dueheap *h)
{
	for (uint32_t i = h->n / 2; i--;)
		down(h, i);
}

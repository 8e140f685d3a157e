#include "inject/addresses.h"

#include <stdlib.h>

#include "base/mem.h"

void addresses_free(struct addresses *a)
{
	buf_free(&a->text);
	free(a->ends);
	*a = ADDRESSES_INIT;
}

static size_t end_of(const struct addresses *a, size_t n)
{
	return n ? a->ends[n - 1] : 0;
}

void addresses_end(struct addresses *a)
{
	if (a->text.n == end_of(a, a->n))
		return;
	if (a->n == a->cap) {
		a->cap = a->cap ? a->cap * 2 : 16;
		a->ends = mem_array(a->ends, a->cap, sizeof *a->ends);
	}
	a->ends[a->n++] = a->text.n;
}

void addresses_add(struct addresses *a, struct str address)
{
	buf_add(&a->text, address);
	addresses_end(a);
}

struct str addresses_get(const struct addresses *a, size_t i)
{
	size_t start = end_of(a, i);

	return (struct str){ a->text.p + start, a->ends[i] - start };
}

void addresses_truncate(struct addresses *a, size_t n)
{
	if (n >= a->n)
		return;
	a->n = n;
	buf_truncate(&a->text, end_of(a, n));
}

/*
 * addresses: a growing list of plain addresses, any bytes allowed.
 */
#ifndef INJECT_ADDRESSES_H
#define INJECT_ADDRESSES_H

#include "base/buf.h"

struct addresses {
	struct buf text; /* all of them, one behind the other */
	size_t *ends;    /* owned: where each ends in text */
	size_t n, cap;
};

#define ADDRESSES_INIT ((struct addresses){ .text = BUF_INIT(SIZE_MAX) })

void addresses_free(struct addresses *a);
/* Ends the address whose bytes were added to a->text; an empty one is not counted. */
void addresses_end(struct addresses *a);
void addresses_add(struct addresses *a, struct str address);
/* The i-th (< a->n); valid until the list changes. */
struct str addresses_get(const struct addresses *a, size_t i);
/* Keeps the first n. */
void addresses_truncate(struct addresses *a, size_t n);

#endif

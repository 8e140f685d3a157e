/*
 * idtable: objects of one size that are found by a number of their own. The
 * objects belong to the table; each begins with the uint64_t it is found by.
 */
#ifndef BASE_IDTABLE_H
#define BASE_IDTABLE_H

#include "base/pool.h"

struct idtable {
	struct pool pool;
	uint32_t *slots; /* the pool's numbers; 0: free */
	size_t nslots, n;
};

#define IDTABLE_INIT(type) ((struct idtable){ .pool = POOL_INIT(type) })

/* A zeroed object that is not found yet. */
void *idtable_new(struct idtable *t);
/* It is found by its number from now on, which must not be there yet. */
void idtable_add(struct idtable *t, void *object);

/* NULL: there is none. */
void *idtable_find(const struct idtable *t, uint64_t id);

/* Frees an object that is in the table; that is not. */
void idtable_remove(struct idtable *t, void *object);
void idtable_drop(struct idtable *t, void *object);

/* All objects in the table: for i below t->nslots, some are NULL. */
void *idtable_at(const struct idtable *t, size_t i);

void idtable_free(struct idtable *t);

#endif

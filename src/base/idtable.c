#include "base/idtable.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"

static size_t home_slot(const struct idtable *t, const void *object)
{
	uint64_t id;

	memcpy(&id, object, sizeof id);
	return (size_t)hash_u64(id) & (t->nslots - 1);
}

void *idtable_at(const struct idtable *t, size_t i)
{
	return t->slots[i] ? pool_object(&t->pool, t->slots[i]) : NULL;
}

void *idtable_find(const struct idtable *t, uint64_t id)
{
	if (t->nslots == 0)
		return NULL;
	for (size_t i = home_slot(t, &id); t->slots[i]; i = (i + 1) & (t->nslots - 1)) {
		void *object = pool_object(&t->pool, t->slots[i]);

		if (memcmp(object, &id, sizeof id) == 0)
			return object;
	}
	return NULL;
}

static void put(struct idtable *t, uint32_t number)
{
	size_t i = home_slot(t, pool_object(&t->pool, number));

	while (t->slots[i])
		i = (i + 1) & (t->nslots - 1);
	t->slots[i] = number;
}

static void grow(struct idtable *t)
{
	uint32_t *old = t->slots;
	size_t n = t->nslots;

	t->nslots = n ? 2 * n : 1024;
	t->slots = mem_zero(t->nslots, sizeof *t->slots);
	for (size_t i = 0; i < n; i++)
		if (old[i])
			put(t, old[i]);
	free(old);
}

void *idtable_new(struct idtable *t)
{
	return pool_new(&t->pool);
}

void idtable_add(struct idtable *t, void *object)
{
	if (t->n * 4 >= t->nslots * 3)
		grow(t);
	put(t, pool_number(&t->pool, object));
	t->n++;
}

void idtable_remove(struct idtable *t, void *object)
{
	size_t i = home_slot(t, object), mask = t->nslots - 1;
	uint32_t number = pool_number(&t->pool, object);

	while (t->slots[i] != number)
		i = (i + 1) & mask;
	/* Closes the gap: an object may move into it unless its home lies behind the gap. */
	for (size_t k = (i + 1) & mask; t->slots[k]; k = (k + 1) & mask) {
		size_t h = home_slot(t, pool_object(&t->pool, t->slots[k]));

		if (((k - h) & mask) >= ((k - i) & mask)) {
			t->slots[i] = t->slots[k];
			i = k;
		}
	}
	t->slots[i] = 0;
	t->n--;
	idtable_drop(t, object);
}

void idtable_drop(struct idtable *t, void *object)
{
	pool_drop(&t->pool, object);
}

void idtable_free(struct idtable *t)
{
	free(t->slots);
	pool_free(&t->pool);
	*t = (struct idtable){ .pool = t->pool };
}

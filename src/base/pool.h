/*
 * pool: objects of one size, without malloc's overhead for each, and with a
 * 32-bit number for each. For what there may be a million of. Memory that was
 * used once is kept for further objects.
 *
 * Under AddressSanitizer, freed objects are poisoned but for their first
 * bytes.
 */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include <stddef.h>
#include <stdint.h>

struct pool {
	uint32_t size; /* of an object: a multiple of 8, at least 8 */
	uint32_t nblocks;
	char **blocks;
	void *unused;   /* freed objects, linked by their first bytes */
	uint32_t fresh; /* objects of the last block that were never used */
};

#define POOL_INIT(type) ((struct pool){ .size = (sizeof(type) + 7) / 8 * 8 })

/* Zeroed. */
void *pool_new(struct pool *p);
void pool_drop(struct pool *p, void *object);

/* Numbers begin at 1, and are those of objects that exist now. */
uint32_t pool_number(const struct pool *p, const void *object);
void *pool_object(const struct pool *p, uint32_t number);

/* Frees all objects and what they were in. */
void pool_free(struct pool *p);

#endif

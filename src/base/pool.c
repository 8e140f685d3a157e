#include "base/pool.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POISONED 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define POISONED 1
#endif
#ifdef POISONED
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

/*
 * Blocks are aligned, so that an object's address tells which one it is in. They end a little before the next
 * multiple: malloc puts its own words there, and would leave a gap of a whole block otherwise.
 */
#define ALIGNMENT 65536u
#define BLOCK (ALIGNMENT - 64)
#define HEADER 16u

static uint32_t in_block(const struct pool *p)
{
	return (BLOCK - HEADER) / p->size;
}

static void add_block(struct pool *p)
{
	char *block = mem_aligned(ALIGNMENT, BLOCK);

	p->blocks = mem_array(p->blocks, (size_t)p->nblocks + 1, sizeof *p->blocks);
	memcpy(block, &p->nblocks, sizeof p->nblocks);
	p->blocks[p->nblocks++] = block;
	p->fresh = in_block(p);
	ASAN_POISON_MEMORY_REGION(block + HEADER, BLOCK - HEADER);
}

void *pool_new(struct pool *p)
{
	void *object = p->unused;

	if (object) {
		memcpy(&p->unused, object, sizeof p->unused);
	} else {
		if (p->fresh == 0)
			add_block(p);
		object = p->blocks[p->nblocks - 1] + HEADER + (size_t)(in_block(p) - p->fresh) * p->size;
		p->fresh--;
	}
	ASAN_UNPOISON_MEMORY_REGION(object, p->size);
	memset(object, 0, p->size);
	return object;
}

void pool_drop(struct pool *p, void *object)
{
	memcpy(object, &p->unused, sizeof p->unused);
	p->unused = object;
	ASAN_POISON_MEMORY_REGION((char *)object + sizeof p->unused, p->size - sizeof p->unused);
}

uint32_t pool_number(const struct pool *p, const void *object)
{
	const char *block = (const char *)((uintptr_t)object & ~(uintptr_t)(ALIGNMENT - 1));
	uint32_t n;

	memcpy(&n, block, sizeof n);
	return n * in_block(p) + (uint32_t)((const char *)object - block - HEADER) / p->size + 1;
}

void *pool_object(const struct pool *p, uint32_t number)
{
	uint32_t n = number - 1;

	return p->blocks[n / in_block(p)] + HEADER + (size_t)(n % in_block(p)) * p->size;
}

void pool_free(struct pool *p)
{
	for (uint32_t i = 0; i < p->nblocks; i++) {
		ASAN_UNPOISON_MEMORY_REGION(p->blocks[i], BLOCK);
		free(p->blocks[i]);
	}
	free(p->blocks);
	*p = (struct pool){ .size = p->size };
}

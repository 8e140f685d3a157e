#include "base/mem.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *program(void)
{
#ifdef __GLIBC__
	return program_invocation_short_name;
#else
	return "program";
#endif
}

static _Noreturn void out_of_memory(void)
{
	char text[200];
	int n = snprintf(text, sizeof text, "%.100s: fatal: out of memory\n", program());

	if (write(2, text, n > 0 ? (size_t)n : 0) < 0) {
		/* There is nobody left to tell. */
	}
	_exit(111);
}

void mem_large_apart(void)
{
#ifdef __GLIBC__
	/* Otherwise the limit grows with every large array that is freed. */
	mallopt(M_MMAP_THRESHOLD, 1 << 20);
	mallopt(M_TRIM_THRESHOLD, 2 << 20);
#endif
}

void *mem_alloc(size_t n)
{
	void *p = malloc(n ? n : 1);

	if (p == NULL)
		out_of_memory();
	return p;
}

void *mem_zero(size_t count, size_t size)
{
	void *p = calloc(count ? count : 1, size ? size : 1);

	if (p == NULL)
		out_of_memory();
	return p;
}

void *mem_realloc(void *old, size_t n)
{
	void *p = realloc(old, n ? n : 1);

	if (p == NULL)
		out_of_memory();
	return p;
}

void *mem_array(void *p, size_t count, size_t size)
{
	size_t n;

	if (__builtin_mul_overflow(count, size, &n))
		out_of_memory();
	return mem_realloc(p, n);
}

void *mem_aligned(size_t alignment, size_t n)
{
	void *p;

	if (posix_memalign(&p, alignment, n) != 0)
		out_of_memory();
	return p;
}

char *mem_copy(struct str s)
{
	char *p = mem_alloc(s.n + 1);

	if (s.n)
		memcpy(p, s.p, s.n);
	p[s.n] = 0;
	return p;
}

#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

void buf_free(struct buf *b)
{
	free(b->p);
	*b = BUF_INIT(b->limit);
}

void buf_free_secret(struct buf *b)
{
	if (b->p)
		explicit_bzero(b->p, b->cap);
	buf_free(b);
}

void buf_clear(struct buf *b)
{
	b->n = 0;
	b->failed = false;
}

/* Makes cap >= want; one byte more than the limit is allowed for buf_cstr's NUL. */
static void grow(struct buf *b, size_t want)
{
	size_t cap = b->cap ? b->cap : 64;

	if (want <= b->cap)
		return;
	while (cap < want)
		if (__builtin_mul_overflow(cap, (size_t)2, &cap))
			cap = want;
	b->p = mem_realloc(b->p, cap);
	b->cap = cap;
}

char *buf_room(struct buf *b, size_t more)
{
	if (b->failed || more > b->limit - b->n) {
		b->failed = true;
		return NULL;
	}
	grow(b, b->n + more);
	/* A zero-sized request on an empty buffer still wants a pointer. */
	if (b->p == NULL)
		grow(b, 1);
	return b->p + b->n;
}

void buf_wrote(struct buf *b, size_t k)
{
	b->n += k;
}

void buf_add(struct buf *b, struct str s)
{
	char *room = buf_room(b, s.n);

	if (room == NULL || s.n == 0)
		return;
	memcpy(room, s.p, s.n);
	b->n += s.n;
}

void buf_addc(struct buf *b, char c)
{
	buf_add(b, (struct str){ &c, 1 });
}

void buf_addz(struct buf *b, const char *z)
{
	buf_add(b, str_of(z));
}

void buf_addu(struct buf *b, uint64_t v)
{
	char digits[20];
	size_t i = sizeof digits;

	do {
		digits[--i] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	buf_add(b, (struct str){ digits + i, sizeof digits - i });
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap, again;
	char small[256];
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(small, sizeof small, fmt, ap);
	if (n < 0) {
		b->failed = true;
	} else if ((size_t)n < sizeof small) {
		buf_add(b, (struct str){ small, (size_t)n });
	} else {
		char *big = mem_alloc((size_t)n + 1);

		vsnprintf(big, (size_t)n + 1, fmt, again);
		buf_add(b, (struct str){ big, (size_t)n });
		free(big);
	}
	va_end(again);
	va_end(ap);
}

void buf_add_lower(struct buf *b, struct str s)
{
	char *room = buf_room(b, s.n);

	if (room == NULL)
		return;
	for (size_t i = 0; i < s.n; i++)
		room[i] = chr_lower(s.p[i]);
	b->n += s.n;
}

void buf_add_visible(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		buf_addc(b, s.p[i] > 32 && s.p[i] < 127 ? s.p[i] : '_');
}

void buf_consume(struct buf *b, size_t k)
{
	if (k > b->n)
		k = b->n;
	b->n -= k;
	if (b->n)
		memmove(b->p, b->p + k, b->n);
}

void buf_truncate(struct buf *b, size_t n)
{
	if (n < b->n)
		b->n = n;
}

const char *buf_cstr(struct buf *b)
{
	grow(b, b->n + 1);
	b->p[b->n] = 0;
	return b->p;
}

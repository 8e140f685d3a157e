/*
 * buf: an owned, growing byte buffer with a limit set at creation.
 *
 * Going over the limit sets `failed`, which sticks: later additions do
 * nothing, so a builder writes all its parts and asks once at the end with
 * buf_ok. Out of memory ends the process with exit code 111 (see mem.h).
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/str.h"

struct buf {
	char *p;      /* owned; NULL while empty */
	size_t n;     /* bytes in use */
	size_t cap;   /* bytes allocated */
	size_t limit; /* n never exceeds this */
	bool failed;  /* something did not fit */
};

/* An empty buffer that will hold at most `limit` bytes; allocates nothing. */
#define BUF_INIT(max) ((struct buf){ .limit = (max) })

/* Releases the memory and leaves the buffer empty with the same limit. */
void buf_free(struct buf *b);

/* The same, after the memory was overwritten: for passwords and keys. */
void buf_free_secret(struct buf *b);
/* Empties it, keeps the memory, clears `failed`. */
void buf_clear(struct buf *b);

static inline bool buf_ok(const struct buf *b)
{
	return !b->failed;
}

static inline struct str buf_str(const struct buf *b)
{
	return (struct str){ b->n ? b->p : "", b->n };
}

/*
 * Room for `more` further bytes behind the used ones, or NULL (and `failed`)
 * over the limit. After writing k <= more bytes there, call buf_wrote(b, k).
 */
char *buf_room(struct buf *b, size_t more);
void buf_wrote(struct buf *b, size_t k);

void buf_add(struct buf *b, struct str s);
void buf_addc(struct buf *b, char c);
void buf_addz(struct buf *b, const char *z);
void buf_addu(struct buf *b, uint64_t v); /* in decimal */
void buf_addf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* For terminals and lists: every byte that is not a visible ASCII byte as '_'. */
void buf_add_visible(struct buf *b, struct str s);
/* ASCII letters in lower case. */
void buf_add_lower(struct buf *b, struct str s);

/* Drops the first k (<= n) bytes. Moves the rest: for queues of bytes that are mostly emptied. */
void buf_consume(struct buf *b, size_t k);
/* Shortens it to n bytes; no effect when it is shorter. */
void buf_truncate(struct buf *b, size_t n);

/* The content with a NUL behind it (not counted in n); never NULL. */
const char *buf_cstr(struct buf *b);

#endif

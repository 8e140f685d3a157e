/*
 * mem: allocation that cannot fail.
 *
 * A mail program that is out of memory has one right answer: end with the
 * temporary exit code 111 and let its caller try again. What comes from
 * outside is bounded before it is allocated (buf's limits), so this is a last
 * resort and not a way for a sender to end a daemon.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

#include "base/str.h"

/*
 * For a process that may hold very much: arrays of a mebibyte or more have pages of their own, so that they grow in
 * place and leave no holes when they are freed.
 */
void mem_large_apart(void);

/* Uninitialised memory; n may be 0. Free with free(). */
void *mem_alloc(size_t n) __attribute__((malloc, returns_nonnull));
/* Zeroed memory for `count` items of `size` bytes. */
void *mem_zero(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
/* As realloc. */
void *mem_realloc(void *p, size_t n) __attribute__((returns_nonnull));
/* p grown to hold `count` items of `size` bytes, with the product checked. */
void *mem_array(void *p, size_t count, size_t size) __attribute__((returns_nonnull));
/* Uninitialised memory at a multiple of `alignment`, a power of two. Free with free(). */
void *mem_aligned(size_t alignment, size_t n) __attribute__((malloc, returns_nonnull));
/* A NUL-terminated copy of s. */
char *mem_copy(struct str s) __attribute__((returns_nonnull));

#endif

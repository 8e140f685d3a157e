/*
 * str: a borrowed view of bytes (pointer and length), passed by value.
 *
 * All input is handled as views; nothing here allocates or assumes a final
 * NUL. A view is valid as long as the memory it looks at.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
	const char *p;
	size_t n;
};

/* A view of a string literal. */
#define STR(lit) ((struct str){ (lit), sizeof(lit) - 1 })
/* Arguments for printf's "%.*s". */
#define STR_ARG(s) (int)(s).n, (s).p

/* A view of a C string; NULL gives the empty view. */
static inline struct str str_of(const char *z)
{
	return (struct str){ z ? z : "", z ? strlen(z) : 0 };
}

/* Bytes [from, s.n) of s; empty when from is beyond the end. */
static inline struct str str_from(struct str s, size_t from)
{
	if (from > s.n)
		from = s.n;
	return (struct str){ s.p + from, s.n - from };
}

/* The first n bytes of s, or all of it when it is shorter. */
static inline struct str str_head(struct str s, size_t n)
{
	return (struct str){ s.p, n < s.n ? n : s.n };
}

/* ASCII only: domains, verbs and header names are compared so. */
static inline char chr_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static inline bool chr_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool str_eq(struct str a, struct str b);
/* Equal but for the case of ASCII letters. */
bool str_ieq(struct str a, struct str b);
bool str_starts(struct str s, struct str prefix);
bool str_istarts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
bool str_iends(struct str s, struct str suffix);
/* s is the pattern; or the pattern ends in '*' and s begins with what is before that. */
bool str_like(struct str s, struct str pattern);
/* Byte order, shorter first among equals; for sorting. */
int str_cmp(struct str a, struct str b);

/* Index of the first / last c, or s.n when there is none. */
size_t str_chr(struct str s, char c);
size_t str_rchr(struct str s, char c);
/* Index of the first needle in s, or s.n. */
size_t str_find(struct str s, struct str needle);
/* Does s contain a byte below 32 or byte 127? */
bool str_has_control(struct str s);

/* s without spaces, tabs and LFs at its end (control file rule) / at its start. */
struct str str_trim_end(struct str s);
struct str str_trim_start(struct str s);

/*
 * Splits s at the first c: *before gets what stands before it, *after the
 * rest. Without a c, *before is all of s, *after is empty, and false returns.
 */
bool str_cut(struct str s, char c, struct str *before, struct str *after);

/*
 * Takes the next line off *rest (its LF is not part of *line). The last line
 * may lack its LF. False when *rest is empty.
 */
bool str_next_line(struct str *rest, struct str *line);

/*
 * Decimal digits only, at least one, nothing else, no overflow; false leaves
 * *v alone.
 */
bool str_to_u64(struct str s, uint64_t *v);
/* The decimal digits that s begins with: 0 without any, UINT64_MAX for too many. */
uint64_t str_leading_u64(struct str s);

#endif

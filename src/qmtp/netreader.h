/*
 * netreader: netstrings from a stranger, "LENGTH:bytes,", which may hold
 * further netstrings.
 *
 * The first failure sticks in `state`; everything read after it is empty. A
 * caller reads what the grammar wants and looks at the state where it matters.
 */
#ifndef QMTP_NETREADER_H
#define QMTP_NETREADER_H

#include <sys/types.h>

#include "base/buf.h"

#define NETREADER_LENGTH_MAX 2000000000 /* longer netstrings are refused */

enum net_state {
	NET_OK,
	NET_END,       /* nothing more comes */
	NET_MALFORMED, /* not what the protocol allows */
	NET_TOO_LONG,
	NET_FAILED, /* the receiver cannot go on */
};

struct netreader {
	/* As read(2); 0 and -1 end the input. */
	ssize_t (*read)(void *ctx, void *data, size_t n);
	void *ctx;
	enum net_state state;
	bool inside;      /* in an outer netstring … */
	uint64_t left;    /* … of which so many bytes are not yet read */
	struct str ready; /* read, not yet taken */
	char bytes[16384];
};

/* Of the reader, only what has no default. */
void netreader_start(struct netreader *r, ssize_t (*read)(void *ctx, void *data, size_t n), void *ctx);

/* The digits and the colon of a netstring. */
uint64_t netreader_length(struct netreader *r);
/* Some of the next n > 0 bytes, at least one; empty after a failure. Valid until the next call. */
struct str netreader_some(struct netreader *r, uint64_t n);
/* One byte; 0 after a failure. */
char netreader_byte(struct netreader *r);
void netreader_comma(struct netreader *r);

/*
 * A whole netstring. True when it was at most `max` bytes without NUL, which
 * replace *out; otherwise it is skipped and *out is empty.
 */
bool netreader_string(struct netreader *r, size_t max, struct buf *out);

/* From now on only the next n bytes; then netreader_leave, which wants all of them read. Not nested. */
void netreader_enter(struct netreader *r, uint64_t n);
void netreader_leave(struct netreader *r);

/* Appends s as a netstring. Pure. */
void netstring_add(struct buf *out, struct str s);

#endif

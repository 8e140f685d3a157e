/*
 * date: calendar dates of UTC times, without the C library's time zones.
 */
#ifndef BASE_DATE_H
#define BASE_DATE_H

#include <stdint.h>

#include "base/buf.h"

struct date {
	int64_t year;
	int month;   /* 1..12 */
	int day;     /* 1..31 */
	int weekday; /* 0 = Sunday */
	int hour, minute, second;
};

/* The UTC date of `t`, seconds since 1970 (may be negative). */
struct date date_of(int64_t t);
/* The inverse of date_of; weekday is ignored. */
int64_t date_seconds(struct date d);

/* "21 Nov 2026 10:06:03 -0000": the form of every header field we make (contract §21). */
void date_add_822(struct buf *b, int64_t t);
/* "Sat Nov 21 10:06:03 2026" with a two-digit day: the From_ line of an mbox. */
void date_add_mbox(struct buf *b, int64_t t);
/* "20261121100603": in Message-ID. */
void date_add_compact(struct buf *b, int64_t t);

#endif

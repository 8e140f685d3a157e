/*
 * clock: the time. Tests link another implementation.
 */
#ifndef SYS_CLOCK_H
#define SYS_CLOCK_H

#include <stdint.h>

/* Seconds since 1970, by the wall clock. */
int64_t clock_wall(void);
/* Microseconds since 1970, by the wall clock. */
int64_t clock_wall_us(void);
/* Nanoseconds since 1970, by the wall clock. */
int64_t clock_wall_ns(void);
/* Milliseconds from an arbitrary start; never goes back. */
int64_t clock_monotonic_ms(void);

#endif

#include "sys/clock.h"

#include <time.h>

int64_t clock_wall(void)
{
	return clock_wall_us() / 1000000;
}

int64_t clock_wall_us(void)
{
	return clock_wall_ns() / 1000;
}

int64_t clock_wall_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t clock_monotonic_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

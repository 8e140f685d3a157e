/*
 * dial: TCP connections with a deadline.
 */
#ifndef UCSPI_DIAL_H
#define UCSPI_DIAL_H

#include "listener/inetaddr.h"

/*
 * Connects from `local` (NULL: any; its port may be 0) by `deadline`
 * (monotonic ms). A blocking socket, close-on-exec, or -1 with errno:
 * ETIMEDOUT when the time is over. *bound (may be NULL) says whether the
 * socket could be bound.
 */
int dial(const struct inetaddr *to, const struct inetaddr *local, int64_t deadline, bool *bound);

/* Waits until fd is ready for `events` (POLLIN, POLLOUT); false at the deadline, with errno ETIMEDOUT. */
bool dial_wait(int fd, short events, int64_t deadline);

#endif

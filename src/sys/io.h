/*
 * io: blocking reads and writes on any descriptor, and reading whole files.
 */
#ifndef SYS_IO_H
#define SYS_IO_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/* read(2) with EINTR retried. */
ssize_t io_read(int fd, void *data, size_t n);
/* All n bytes or -1 (errno). On a non-blocking descriptor EAGAIN waits with poll. */
int io_write_all(int fd, const void *data, size_t n);

/*
 * Appends the rest of fd to b. False on a read error (errno), or when b's
 * limit is reached (errno EFBIG).
 */
bool io_read_rest(int fd, struct buf *b);

int io_set_nonblocking(int fd, bool on);
int io_set_cloexec(int fd, bool on);

/* A pipe with both ends close-on-exec; fds[0] reads. */
int io_pipe(int fds[2]);

/*
 * Opens /dev/null on any of 0, 1, 2 that is closed, so that files opened later cannot land there and be
 * written to by accident. Reading from 0 fails as if it were still closed: no input is not empty input.
 */
void io_open_standard_fds(void);

#endif

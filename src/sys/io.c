#include "sys/io.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

ssize_t io_read(int fd, void *data, size_t n)
{
	ssize_t r;

	do
		r = read(fd, data, n);
	while (r == -1 && errno == EINTR);
	return r;
}

int io_write_all(int fd, const void *data, size_t n)
{
	const char *p = data;

	while (n) {
		ssize_t r = write(fd, p, n);

		if (r == -1 && errno == EINTR)
			continue;
		if (r == -1 && errno == EAGAIN) {
			struct pollfd pfd = { .fd = fd, .events = POLLOUT };

			poll(&pfd, 1, -1);
			continue;
		}
		if (r == -1)
			return -1;
		p += r;
		n -= (size_t)r;
	}
	return 0;
}

/*
 * How much to ask for next: a page at first, then what doubling the buffer gives. Most files are tiny, and asking
 * for much makes and copies memory that is never used.
 */
static size_t next_read_size(const struct buf *b)
{
	size_t want = b->cap - b->n >= 512 ? b->cap - b->n : b->n + 4096;

	return b->limit - b->n < want ? b->limit - b->n : want;
}

bool io_read_rest(int fd, struct buf *b)
{
	for (;;) {
		size_t want = next_read_size(b);
		char extra, *room;
		ssize_t r;

		if (want == 0) {
			r = io_read(fd, &extra, 1);
			if (r > 0)
				errno = EFBIG;
			return r == 0;
		}
		room = buf_room(b, want);
		r = io_read(fd, room, want);
		if (r < 0)
			return false;
		if (r == 0)
			return true;
		buf_wrote(b, (size_t)r);
	}
}

static int change_flag(int fd, int get, int set, int flag, bool on)
{
	int flags = fcntl(fd, get);

	if (flags == -1)
		return -1;
	return fcntl(fd, set, on ? flags | flag : flags & ~flag);
}

int io_set_nonblocking(int fd, bool on)
{
	return change_flag(fd, F_GETFL, F_SETFL, O_NONBLOCK, on);
}

int io_set_cloexec(int fd, bool on)
{
	return change_flag(fd, F_GETFD, F_SETFD, FD_CLOEXEC, on);
}

int io_pipe(int fds[2])
{
	return pipe2(fds, O_CLOEXEC);
}

void io_open_standard_fds(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) == -1)
			open("/dev/null", fd == 0 ? O_WRONLY : O_RDWR);
}

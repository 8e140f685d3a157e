#include "ucspi/dial.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "sys/clock.h"
#include "sys/io.h"

bool dial_wait(int fd, short events, int64_t deadline)
{
	struct pollfd p = { .fd = fd, .events = events };
	int64_t left;
	int r;

	do {
		left = deadline - clock_monotonic_ms();
		r = left <= 0 ? 0 : poll(&p, 1, left > 1000000 ? 1000000 : (int)left);
	} while ((r == -1 && errno == EINTR) || (r == 0 && left > 1000000));
	if (r == 0)
		errno = ETIMEDOUT;
	return r > 0;
}

static bool bind_to(int fd, const struct inetaddr *local)
{
	struct sockaddr_storage ss;
	socklen_t n = inetaddr_to(local, &ss);
	int on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	return bind(fd, (const struct sockaddr *)&ss, n) == 0;
}

static bool connect_by(int fd, const struct inetaddr *to, int64_t deadline)
{
	struct sockaddr_storage ss;
	socklen_t n = inetaddr_to(to, &ss), size = sizeof(int);
	int error = 0;

	if (connect(fd, (const struct sockaddr *)&ss, n) == 0)
		return true;
	if (errno != EINPROGRESS || !dial_wait(fd, POLLOUT, deadline))
		return false;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == -1)
		return false;
	errno = error;
	return error == 0;
}

int dial(const struct inetaddr *to, const struct inetaddr *local, int64_t deadline, bool *bound)
{
	int fd = socket(to->v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), saved;
	bool ready = fd != -1 && (local == NULL || bind_to(fd, local));

	if (bound)
		*bound = ready || fd == -1;
	if (ready && connect_by(fd, to, deadline) && io_set_nonblocking(fd, false) != -1)
		return fd;
	saved = errno;
	if (fd != -1)
		close(fd);
	errno = saved;
	return -1;
}

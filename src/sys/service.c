#include "sys/service.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sys/home.h"
#include "sys/io.h"

static bool inherited(int fd)
{
	int listening = 0;
	socklen_t len = sizeof listening;

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) == 0 && listening;
}

bool service_listen_also(int fd, const char *name, enum unixsock_kind kind, mode_t mode, int *listenfd, struct err *e)
{
	char path[100];

	if (inherited(fd)) {
		*listenfd = fd;
		if (io_set_nonblocking(fd, true) == -1 || io_set_cloexec(fd, true) == -1)
			return err_sys(e, errno, "unable to use the inherited socket");
		return true;
	}
	snprintf(path, sizeof path, "run/%s", name);
	return unixsock_listen(path, kind, mode, listenfd, e);
}

bool service_start(const char *name, enum unixsock_kind kind, mode_t mode, int *listenfd, struct err *e)
{
	return home_enter(e) && service_listen_also(SERVICE_FD, name, kind, mode, listenfd, e);
}

/* A connected packet socket; whatever else is there under that number was meant for somebody else. */
static bool is_ready_link(int fd)
{
	int type = 0, domain = 0;
	socklen_t len = sizeof type, len2 = sizeof domain;

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_SEQPACKET &&
	       getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len2) == 0 && domain == AF_UNIX && !inherited(fd);
}

void service_ready(void)
{
	if (!is_ready_link(SERVICE_READY_FD))
		return;
	io_write_all(SERVICE_READY_FD, "+", 1);
	close(SERVICE_READY_FD);
}

void service_log(const char *name, const char *fmt, ...)
{
	char line[1200];
	va_list ap;
	int start, n;

	start = snprintf(line, 64, "%s: ", name);
	va_start(ap, fmt);
	n = vsnprintf(line + start, sizeof line - (size_t)start - 1, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	n += start;
	if ((size_t)n > sizeof line - 2)
		n = (int)sizeof line - 2;
	for (int i = 0; i < n; i++)
		if ((unsigned char)line[i] < 32 || line[i] == 127)
			line[i] = '?';
	line[n] = '\n';
	io_write_all(2, line, (size_t)n + 1);
}

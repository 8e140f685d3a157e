#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "listener/listener.h"

#define BACKLOG 1024

static void add_bound(int fd, struct buf *bound)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof ss;
	struct inetaddr a;
	char text[INETADDR_TEXT];

	if (getsockname(fd, (void *)&ss, &len) == -1 || !inetaddr_from((const void *)&ss, &a))
		return;
	inetaddr_text(&a, text);
	buf_addf(bound, a.v6 ? "[%s]:%u\n" : "%s:%u\n", text, (unsigned)a.port);
}

/* Accepted connections inherit TCP_NODELAY, which saves a system call for each. */
static int open_listening(const struct inetaddr *a)
{
	struct sockaddr_storage ss;
	socklen_t len = inetaddr_to(a, &ss);
	int fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1, saved;

	if (fd == -1)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (a->v6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
	if (bind(fd, (const void *)&ss, len) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static bool bind_one(struct listener *l, const struct inetaddr *a, struct str where, struct buf *bound, struct err *e)
{
	int fd;

	if (l->nfds == LISTENER_SOCKETS_MAX)
		return err_perm(e, "more than %d addresses to listen on", LISTENER_SOCKETS_MAX);
	fd = open_listening(a);
	if (fd == -1) {
		err_sys(e, errno, "unable to listen on %.*s", STR_ARG(where));
		/* Another process may go away: worth another try, unlike an address that is wrong. */
		if (e->sys == EADDRINUSE)
			e->kind = ERR_TEMPORARY;
		return false;
	}
	l->fds[l->nfds++] = fd;
	add_bound(fd, bound);
	return true;
}

bool listener_bind(struct listener *l, struct str where, struct buf *bound, struct err *e)
{
	struct inetaddr a;
	bool any;

	if (!inetaddr_parse(where, &a, &any, e))
		return false;
	if (!bind_one(l, &a, where, bound, e))
		return false;
	a.v6 = true;
	if (!any || bind_one(l, &a, where, bound, e))
		return true;
	/* A machine without IPv6 listens on what it has. */
	return e->sys == EAFNOSUPPORT || e->sys == EADDRNOTAVAIL;
}

#include "listener/idle.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sys/clock.h"

/* A descriptor and who sends it. */
union control {
	char room[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
	struct cmsghdr align;
};

static void shut(int *fd)
{
	if (*fd != -1)
		close(*fd);
	*fd = -1;
}

void idle_open(struct idle *i)
{
	int pair[2], on = 1;

	*i = IDLE_INIT;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		return;
	i->parent = pair[0];
	i->child = pair[1];
	if (setsockopt(i->parent, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) == -1)
		idle_close(i);
}

void idle_close(struct idle *i)
{
	idle_expire(i, INT64_MAX);
	shut(&i->parent);
	shut(&i->child);
}

void idle_become_child(struct idle *i)
{
	for (size_t n = 0; n < i->n; n++)
		close(i->waiting[n].channel);
	i->n = 0;
	shut(&i->parent);
}

/* ---- descriptors over sockets ---- */

static bool send_with_fd(int to, const void *data, size_t n, int fd, int flags)
{
	struct iovec v = { (void *)data, n };
	union control c = { .room = { 0 } };
	struct msghdr m = {
		.msg_iov = &v, .msg_iovlen = 1, .msg_control = c.room, .msg_controllen = CMSG_SPACE(sizeof fd)
	};
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);
	ssize_t r;

	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(h), &fd, sizeof fd);
	do
		r = sendmsg(to, &m, flags | MSG_NOSIGNAL);
	while (r == -1 && errno == EINTR);
	return r == (ssize_t)n;
}

/* -1 on error, 0 at the end. *fd is -1 when none came; *pid is 0 when the kernel did not say. */
static ssize_t receive(int from, void *data, size_t n, int *fd, pid_t *pid, int flags)
{
	struct iovec v = { data, n };
	union control c;
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = c.room, .msg_controllen = sizeof c.room };
	struct ucred who;
	ssize_t r;

	*fd = -1;
	*pid = 0;
	do
		r = recvmsg(from, &m, flags | MSG_CMSG_CLOEXEC);
	while (r == -1 && errno == EINTR);
	if (r == -1)
		return -1;
	for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) {
		if (h->cmsg_level != SOL_SOCKET)
			continue;
		if (h->cmsg_type == SCM_RIGHTS && h->cmsg_len == CMSG_LEN(sizeof *fd))
			memcpy(fd, CMSG_DATA(h), sizeof *fd);
		if (h->cmsg_type == SCM_CREDENTIALS && h->cmsg_len == CMSG_LEN(sizeof who)) {
			memcpy(&who, CMSG_DATA(h), sizeof who);
			*pid = who.pid;
		}
	}
	return r;
}

/* ---- the child ---- */

bool idle_wait(struct idle *i, int *fd, struct inetaddr *client)
{
	int pair[2];
	bool heard;
	pid_t pid;
	ssize_t r;

	if (i->child == -1 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		return false;
	heard = send_with_fd(i->child, "", 1, pair[1], 0);
	close(pair[1]);
	r = heard ? receive(pair[0], client, sizeof *client, fd, &pid, 0) : -1;
	close(pair[0]);
	if (r == sizeof *client && *fd != -1)
		return true;
	if (r > 0)
		shut(fd);
	return false;
}

/* ---- the parent ---- */

pid_t idle_hear(struct idle *i, int *channel)
{
	char byte;
	pid_t pid;

	while (i->parent != -1 && receive(i->parent, &byte, 1, channel, &pid, MSG_DONTWAIT) > 0) {
		if (pid != 0 && *channel != -1)
			return pid;
		shut(channel);
	}
	return 0;
}

static void take_out(struct idle *i, size_t n)
{
	close(i->waiting[n].channel);
	i->n--;
	memmove(i->waiting + n, i->waiting + n + 1, (i->n - n) * sizeof *i->waiting);
}

void idle_add(struct idle *i, pid_t pid, const struct inetaddr *client, int channel)
{
	if (i->n == IDLE_MAX)
		take_out(i, 0);
	i->waiting[i->n++] = (struct idle_child){ pid, *client, channel, clock_monotonic_ms() };
}

pid_t idle_give(struct idle *i, int fd, const struct inetaddr *client)
{
	/* The one that was idle last has most of its memory still in the processor's caches. */
	for (size_t n = i->n; n-- > 0;) {
		pid_t pid = i->waiting[n].pid;
		bool given;

		if (!inetaddr_same_ip(&i->waiting[n].client, client))
			continue;
		given = send_with_fd(i->waiting[n].channel, client, sizeof *client, fd, MSG_DONTWAIT);
		take_out(i, n);
		if (given)
			return pid;
	}
	return 0;
}

void idle_ended(struct idle *i, pid_t pid)
{
	for (size_t n = 0; n < i->n; n++)
		if (i->waiting[n].pid == pid) {
			take_out(i, n);
			return;
		}
}

void idle_expire(struct idle *i, int64_t before)
{
	while (i->n && i->waiting[0].since <= before)
		take_out(i, 0);
}

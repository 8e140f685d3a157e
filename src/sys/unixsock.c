#include "sys/unixsock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

static int kind_type(enum unixsock_kind kind)
{
	return kind == UNIXSOCK_STREAM ? SOCK_STREAM : SOCK_SEQPACKET;
}

/* Larger than any packet plus bookkeeping, so that one packet always fits. */
static void widen(int fd)
{
	int size = 4 * UNIXSOCK_PACKET_MAX;

	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
}

static int open_socket(enum unixsock_kind kind)
{
	int fd = socket(AF_UNIX, kind_type(kind) | SOCK_CLOEXEC, 0);

	if (fd != -1 && kind == UNIXSOCK_PACKET)
		widen(fd);
	return fd;
}

/* sun_path holds 108 bytes, homes can be deeper; a path through a directory descriptor of ours is short. */
static bool address_of(const char *path, struct sockaddr_un *sa, struct err *e)
{
	*sa = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof sa->sun_path)
		return err_perm(e, "socket path %s is too long", path);
	memcpy(sa->sun_path, path, strlen(path) + 1);
	return true;
}

static bool somebody_answers(const struct sockaddr_un *sa, enum unixsock_kind kind)
{
	int fd = open_socket(kind);
	bool answers = fd != -1 && (connect(fd, (const void *)sa, sizeof *sa) == 0 || errno == EAGAIN);

	if (fd != -1)
		close(fd);
	return answers;
}

bool unixsock_listen(const char *path, enum unixsock_kind kind, mode_t mode, int *out, struct err *e)
{
	struct sockaddr_un sa;
	struct stat st;
	int fd;

	if (!address_of(path, &sa, e))
		return false;
	if (lstat(path, &st) == 0) {
		if (!S_ISSOCK(st.st_mode))
			return err_perm(e, "%s is in the way and is not a socket; remove it", path);
		if (somebody_answers(&sa, kind))
			return err_perm(e, "another process already listens on %s; stop it first", path);
		unlink(path);
	}
	fd = open_socket(kind);
	if (fd == -1)
		return err_sys(e, errno, "unable to make a socket");
	if (bind(fd, (void *)&sa, sizeof sa) == -1 || chmod(path, mode) == -1 || listen(fd, 1024) == -1) {
		err_sys(e, errno, "unable to listen on %s", path);
		close(fd);
		return false;
	}
	fcntl(fd, F_SETFL, O_NONBLOCK);
	*out = fd;
	return true;
}

static bool set_timeouts(int fd, unsigned ms)
{
	const struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	return ms == 0 || (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv) == 0 &&
			   setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv) == 0);
}

bool unixsock_connect(int dirfd, const char *path, enum unixsock_kind kind, int *out, struct err *e)
{
	return unixsock_connect_within(dirfd, path, kind, 0, out, e);
}

bool unixsock_connect_within(int dirfd, const char *path, enum unixsock_kind kind, unsigned ms, int *out, struct err *e)
{
	struct sockaddr_un sa;
	int fd, back = -1, r, saved;

	if (!address_of(path, &sa, e))
		return false;
	fd = open_socket(kind);
	if (fd == -1)
		return err_sys(e, errno, "unable to make a socket");
	if (!set_timeouts(fd, ms)) {
		close(fd);
		return err_sys(e, errno, "unable to limit the time of a socket");
	}
	/* There is no connectat(2); visiting the directory keeps the path short and needs no /proc. */
	if (dirfd != AT_FDCWD) {
		back = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fchdir(dirfd) == -1) {
			err_sys(e, errno, "unable to enter the directory of %s", path);
			close(fd);
			if (back != -1)
				close(back);
			return false;
		}
	}
	do
		r = connect(fd, (void *)&sa, sizeof sa);
	while (r == -1 && errno == EINTR);
	saved = errno;
	if (back != -1) {
		if (fchdir(back) == -1)
			saved = errno, r = -1;
		close(back);
	}
	if (r == -1) {
		close(fd);
		return err_sys(e, saved, "unable to connect to %s", path);
	}
	*out = fd;
	return true;
}

int unixsock_accept(int listenfd, enum unixsock_kind kind)
{
	int fd;

	do
		fd = accept4(listenfd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	while (fd == -1 && errno == EINTR);
	if (fd != -1 && kind == UNIXSOCK_PACKET)
		widen(fd);
	return fd;
}

bool unixsock_peer(int fd, struct unixsock_peer *peer, struct err *e)
{
	struct ucred cred;
	socklen_t len = sizeof cred;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == -1)
		return err_sys(e, errno, "unable to learn who is calling");
	*peer = (struct unixsock_peer){ cred.pid, cred.uid, cred.gid };
	return true;
}

static int send_packet(int fd, struct str data, int passfd, int flags)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { (void *)(uintptr_t)data.p, data.n };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t r;

	if (passfd != -1) {
		struct cmsghdr *c;

		memset(&control, 0, sizeof control);
		msg.msg_control = &control;
		msg.msg_controllen = sizeof control.space;
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &passfd, sizeof passfd);
	}
	do
		r = sendmsg(fd, &msg, flags | MSG_NOSIGNAL);
	while (r == -1 && errno == EINTR);
	if (r >= 0 && (size_t)r != data.n) {
		errno = EMSGSIZE;
		return -1;
	}
	return r == -1 ? -1 : 0;
}

int unixsock_send(int fd, struct str data, int passfd)
{
	return send_packet(fd, data, passfd, 0);
}

int unixsock_send_now(int fd, struct str data, int passfd)
{
	return send_packet(fd, data, passfd, MSG_DONTWAIT);
}

/* Keeps the first descriptor of a message, closes any others. */
static void take_fds(struct msghdr *msg, int *passfd)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		size_t count;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
			if (*passfd == -1)
				*passfd = fd;
			else
				close(fd);
		}
	}
}

/* Who sent it, where the socket has SO_PASSCRED; else 0. */
static pid_t sender_of(struct msghdr *msg)
{
	struct ucred who = { .pid = 0 };

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS &&
		    c->cmsg_len == CMSG_LEN(sizeof who))
			memcpy(&who, CMSG_DATA(c), sizeof who);
	return who.pid;
}

static ssize_t receive(int fd, struct buf *b, size_t max, int *passfd, pid_t *sender, int flags)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(8 * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
	} control;
	char *room = buf_room(b, max);
	struct iovec iov = { room, max };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control.space
	};
	ssize_t r;

	*passfd = -1;
	if (room == NULL) {
		errno = EMSGSIZE;
		return -1;
	}
	do
		r = recvmsg(fd, &msg, flags | MSG_CMSG_CLOEXEC);
	while (r == -1 && errno == EINTR);
	if (r < 0)
		return -1;
	take_fds(&msg, passfd);
	*sender = sender_of(&msg);
	if (msg.msg_flags & MSG_TRUNC) {
		if (*passfd != -1)
			close(*passfd);
		*passfd = -1;
		errno = EMSGSIZE;
		return -1;
	}
	buf_wrote(b, (size_t)r);
	return r;
}

ssize_t unixsock_recv(int fd, struct buf *b, size_t max, int *passfd)
{
	pid_t sender;

	return receive(fd, b, max, passfd, &sender, 0);
}

ssize_t unixsock_recv_now(int fd, struct buf *b, size_t max, int *passfd, pid_t *sender)
{
	*sender = 0;
	return receive(fd, b, max, passfd, sender, MSG_DONTWAIT);
}

/*
 * unixsock: the Unix sockets over which Quillmail's processes talk.
 *
 * Sockets live in run/ of the home. The peer is known from the kernel
 * (SO_PEERCRED), never from what it says.
 */
#ifndef SYS_UNIXSOCK_H
#define SYS_UNIXSOCK_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

enum unixsock_kind {
	UNIXSOCK_STREAM, /* bytes; for what may be large */
	UNIXSOCK_PACKET, /* SOCK_SEQPACKET: one send is one receive */
};

/* Largest packet that packet sockets carry; senders refuse more. */
#define UNIXSOCK_PACKET_MAX 131072

struct unixsock_peer {
	pid_t pid;
	uid_t uid;
	gid_t gid;
};

/*
 * Makes a listening socket at `path` (relative to the working directory),
 * removing a stale one first: a socket that still answers is not removed, and
 * false says that another process has it. mode is the file's mode.
 * The socket is non-blocking and close-on-exec.
 */
bool unixsock_listen(const char *path, enum unixsock_kind kind, mode_t mode, int *fd, struct err *e);

/* Connects (blocking socket, close-on-exec). dirfd: where `path` starts. */
bool unixsock_connect(int dirfd, const char *path, enum unixsock_kind kind, int *fd, struct err *e);
/* The same; connecting, and later each send and receive on it, fails with EAGAIN after ms milliseconds (0: never). */
bool unixsock_connect_within(int dirfd, const char *path, enum unixsock_kind kind, unsigned ms, int *fd, struct err *e);

/* accept(2): non-blocking and close-on-exec; -1 with errno. kind as given to unixsock_listen. */
int unixsock_accept(int listenfd, enum unixsock_kind kind);

bool unixsock_peer(int fd, struct unixsock_peer *peer, struct err *e);

/*
 * Sends one packet, with passfd attached unless it is -1 (the caller keeps and
 * closes its copy). Returns 0, or -1 with errno (EAGAIN: full).
 */
int unixsock_send(int fd, struct str data, int passfd);

/*
 * Receives into b's free room (at most `max` bytes). *passfd is a received
 * descriptor (close-on-exec, the caller's from now on) or -1. Returns the
 * number of bytes, 0 at the end, -1 with errno; a truncated packet is EMSGSIZE.
 */
ssize_t unixsock_recv(int fd, struct buf *b, size_t max, int *passfd);

/*
 * The same, without ever waiting (EAGAIN), whatever mode the socket is in: its mode may be in the hands of the other
 * side. *sender: the process that sent the packet, from the kernel, where the socket has SO_PASSCRED; else 0.
 */
int unixsock_send_now(int fd, struct str data, int passfd);
ssize_t unixsock_recv_now(int fd, struct buf *b, size_t max, int *passfd, pid_t *sender);

#endif

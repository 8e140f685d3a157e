#include "listener/idle.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sys/clock.h"
#include "sys/unixsock.h"

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

/* ---- the child ---- */

bool idle_wait(struct idle *i, int *fd, struct inetaddr *client)
{
	struct buf packet = BUF_INIT(sizeof *client);
	int pair[2];
	bool given;

	if (i->child == -1 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		return false;
	*fd = -1;
	given = unixsock_send(i->child, STR("i"), pair[1]) == 0;
	close(pair[1]);
	given = given && unixsock_recv(pair[0], &packet, sizeof *client, fd) == sizeof *client && *fd != -1;
	close(pair[0]);
	if (given)
		memcpy(client, packet.p, sizeof *client);
	else
		shut(fd);
	buf_free(&packet);
	return given;
}

/* ---- the parent ---- */

pid_t idle_hear(struct idle *i, int *channel)
{
	struct buf packet = BUF_INIT(1);
	pid_t pid = 0;

	while (i->parent != -1 && unixsock_recv_now(i->parent, &packet, 1, channel, &pid) > 0) {
		if (pid != 0 && *channel != -1)
			break;
		shut(channel);
		pid = 0;
		buf_clear(&packet);
	}
	buf_free(&packet);
	return pid;
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
	const struct str packet = { (const char *)client, sizeof *client };

	/* The one that was idle last has most of its memory still in the processor's caches. */
	for (size_t n = i->n; n-- > 0;) {
		pid_t pid = i->waiting[n].pid;
		bool given;

		if (!inetaddr_same_ip(&i->waiting[n].client, client))
			continue;
		given = unixsock_send_now(i->waiting[n].channel, packet, fd) == 0;
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

#include "local/leftover.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "sys/io.h"

#define ROUNDS 100
#define ROUND_NS 5000000
#define LIST_MAX (4u << 20)

/* The kernel's list of our children: numbers separated by blanks. */
static bool list_children(struct buf *list)
{
	int fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
	bool ok = fd != -1 && io_read_rest(fd, list);

	if (fd != -1)
		close(fd);
	return ok;
}

/* Kills all that are not kept; returns how many there were. */
static size_t kill_listed(struct str list, bool (*keep)(void *ctx, pid_t pid), void *ctx)
{
	struct str word;
	size_t count = 0;
	uint64_t pid;

	while (list.n) {
		str_cut(list, ' ', &word, &list);
		if (!str_to_u64(str_trim_end(word), &pid) || pid <= 1 || pid > INT32_MAX ||
		    (keep && keep(ctx, (pid_t)pid)))
			continue;
		/* Our own child, not yet reaped: the number cannot be another's. */
		kill((pid_t)pid, SIGKILL);
		count++;
	}
	return count;
}

/* Reaps those that are not kept and have ended. */
static void reap(struct str list, bool (*keep)(void *ctx, pid_t pid), void *ctx)
{
	struct str word;
	uint64_t pid;

	while (list.n) {
		str_cut(list, ' ', &word, &list);
		if (str_to_u64(str_trim_end(word), &pid) && pid > 1 && pid <= INT32_MAX &&
		    !(keep && keep(ctx, (pid_t)pid)))
			waitpid((pid_t)pid, NULL, WNOHANG);
	}
}

static bool no_children(void)
{
	siginfo_t info;

	return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == -1;
}

bool leftover_adopt(void)
{
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	return no_children();
}

bool leftover_kill(bool (*keep)(void *ctx, pid_t pid), void *ctx)
{
	const struct timespec pause = { 0, ROUND_NS };
	struct buf list = BUF_INIT(LIST_MAX);
	bool done = no_children();

	for (int i = 0; i < ROUNDS && !done; i++) {
		buf_clear(&list);
		if (!list_children(&list))
			break;
		done = kill_listed(buf_str(&list), keep, ctx) == 0;
		if (done)
			break;
		nanosleep(&pause, NULL);
		reap(buf_str(&list), keep, ctx);
	}
	buf_free(&list);
	return done;
}

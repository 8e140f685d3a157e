#include "local/mbox.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/mem.h"
#include "local/mboxrd.h"
#include "sys/clock.h"
#include "sys/file.h"

#define LOCK_SECONDS 30
#define WRITE_AT 65536

struct mbox {
	const char *path;
	int fd;
	bool locked;
	int64_t size; /* before this delivery */
};

static bool unable(struct err *e, const char *what, const char *path, const char *code, int errnum)
{
	return err_temp(e, "Unable to %s %.300s: %s. (%s)", what, path, errno_text(errnum), code);
}

/*
 * Reading is wanted to see how the file ends, and not needed. O_NONBLOCK: a
 * FIFO without a reader is an error and no reason to wait.
 */
static int open_at(const char *path)
{
	int flags = O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY;
	int fd = file_open(AT_FDCWD, path, O_RDWR | flags, 0600);

	return fd == -1 && errno == EACCES ? file_open(AT_FDCWD, path, O_WRONLY | flags, 0600) : fd;
}

/*
 * The file layer follows no symbolic links; a mailbox may be one, with the
 * user's own rights. What it leads to is made if it is not there.
 */
static int open_mailbox(const char *path)
{
	char real[PATH_MAX];
	int fd = open_at(path);

	if (fd != -1 || errno != ELOOP)
		return fd;
	fd = open(path, O_WRONLY | O_CREAT | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
	if (fd == -1)
		return -1;
	close(fd);
	return realpath(path, real) ? open_at(real) : -1;
}

static bool open_regular(struct mbox *box, struct err *e)
{
	struct stat st;

	box->fd = open_mailbox(box->path);
	if (box->fd == -1)
		return unable(e, "open", box->path, "#4.2.1", errno);
	if (fstat(box->fd, &st) == 0 && S_ISREG(st.st_mode))
		return true;
	file_close(box->fd);
	return err_temp(e, "Unable to open %.300s: not a regular file. (#4.2.1)", box->path);
}

static void wake(int sig)
{
	(void)sig;
}

/*
 * Waits in flock(2) and not in a loop, so that deliveries get the lock in the
 * order in which they came. The timer repeats: its first signal could arrive
 * just before the wait.
 */
static bool lock(struct mbox *box, struct err *e)
{
	const struct itimerval tick = { { 1, 0 }, { 1, 0 } }, none = { { 0, 0 }, { 0, 0 } };
	int64_t end = clock_monotonic_ms() + LOCK_SECONDS * 1000;
	struct sigaction sa = { .sa_handler = wake }, old;
	int r = flock(box->fd, LOCK_EX | LOCK_NB);

	if (r == -1 && errno == EWOULDBLOCK) {
		sigaction(SIGALRM, &sa, &old);
		setitimer(ITIMER_REAL, &tick, NULL);
		do
			r = flock(box->fd, LOCK_EX);
		while (r == -1 && errno == EINTR && clock_monotonic_ms() < end);
		setitimer(ITIMER_REAL, &none, NULL);
		sigaction(SIGALRM, &old, NULL);
		if (r == -1 && errno == EINTR)
			return err_temp(e, "File has been locked for %d seconds straight. (#4.3.0)", LOCK_SECONDS);
	}
	/* Where there are no locks mail is delivered without. */
	box->locked = r == 0;
	return true;
}

/* A file that ends within a line was cut there by a crash: what follows must begin on a line of its own. */
static void end_cut_line(const struct mbox *box, struct buf *out)
{
	char last;

	if (box->size > 0 && file_read_at(box->fd, &last, 1, (uint64_t)box->size - 1) == 1 && last != '\n')
		buf_addz(out, "\n\n");
}

static bool put(struct mbox *box, struct buf *out, struct err *e)
{
	if (file_append(box->fd, out->p, out->n) == -1)
		return unable(e, "write", box->path, "#4.3.0", errno);
	buf_clear(out);
	return true;
}

static bool write_entry(struct mbox *box, struct str header, struct message *m, struct buf *out, struct err *e)
{
	struct mboxrd quoting = { .inside = false };
	uint64_t offset = 0;
	struct str block;

	end_cut_line(box, out);
	buf_add(out, header);
	while (message_block(m, offset, &block, e)) {
		if (block.n == 0) {
			mboxrd_finish(&quoting, out);
			return put(box, out, e);
		}
		mboxrd_add(&quoting, block, out);
		offset += block.n;
		if (out->n >= WRITE_AT && !put(box, out, e))
			return false;
	}
	return false;
}

/* A file that was empty may be new: its name has to last too. */
static int sync_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *dir = mem_copy(slash ? (struct str){ path, (size_t)(slash - path) + 1 } : STR("."));
	int fd = file_open_dir(AT_FDCWD, dir), r = fd == -1 ? 0 : file_sync_dir(fd);

	/* A directory that may not be read, or a file system that syncs names by itself, is no failure. */
	if (r == -1 && (errno == EINVAL || errno == ENOTSUP))
		r = 0;
	if (fd != -1)
		file_close(fd);
	free(dir);
	return r;
}

static bool append(struct mbox *box, struct str header, struct message *m, struct err *e)
{
	/* Quoting can make a block half as long again. */
	struct buf out = BUF_INIT(WRITE_AT + 2 * MESSAGE_BLOCK + MESSAGE_PREFIX_MAX);
	bool ok;

	box->size = file_size(box->fd);
	ok = box->size >= 0 || unable(e, "write", box->path, "#4.3.0", errno);
	ok = ok && write_entry(box, header, m, &out, e);
	if (ok && (file_sync(box->fd) == -1 || (box->size == 0 && sync_name(box->path) == -1)))
		ok = unable(e, "write", box->path, "#4.3.0", errno);
	if (!ok && box->locked && box->size >= 0)
		file_truncate(box->fd, (uint64_t)box->size);
	buf_free(&out);
	return ok;
}

bool mbox_deliver(const char *path, struct str header, struct message *m, struct err *e)
{
	struct mbox box = { .path = path };
	bool ok;

	if (!open_regular(&box, e))
		return false;
	ok = lock(&box, e) && append(&box, header, m, e);
	if (file_close(box.fd) == -1 && ok)
		ok = unable(e, "write", path, "#4.3.0", errno);
	return ok;
}

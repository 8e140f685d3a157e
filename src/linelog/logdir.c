#include "linelog/logdir.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/tai64n.h"
#include "linelog/logdir_finish.h"
#include "linelog/oldlogs.h"
#include "sys/clock.h"
#include "sys/file.h"

#define OUT_MAX 65536
#define ROOM_FOR_LINES 2000 /* a file ends with a line when less than this is left */
#define MODE_OPEN 0644
#define MODE_DONE 0744

static bool fail(struct logdir *d, struct err *e, const char *what, const char *file)
{
	return err_sys(e, errno, "unable to %s %s%s", what, d->set.name, file);
}

static int open_current(const struct logdir *d)
{
	int fd = file_open(d->dir, "current", O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK, 0600);

	/* The mark of a good end goes before anything is added. */
	if (fd != -1 && fchmod(fd, MODE_OPEN) == -1) {
		close(fd);
		return -1;
	}
	return fd;
}

/* After a kill. Nothing may be written to a file that may have ended within a line. */
static void recover(struct logdir *d)
{
	struct stat st;

	logdir_remove(d, "state");
	logdir_remove(d, "newstate");
	if (logdir_stat(d, "processed", &st) && (st.st_mode & S_IXUSR)) {
		/* The processor's work is complete: previous is what it was made from. */
		logdir_remove(d, "previous");
		logdir_finish(d, "processed", 's');
	} else {
		logdir_remove(d, "processed");
		logdir_finish(d, "previous", 'u');
	}
	logdir_finish(d, "current", 'u');
}

static bool open_files(struct logdir *d, struct err *e)
{
	struct stat st;
	int state;

	d->bytes = 0;
	if (fstatat(d->dir, "current", &st, AT_SYMLINK_NOFOLLOW) == -1 && errno != ENOENT)
		return fail(d, e, "stat", "/current");
	else if (errno == ENOENT || !(st.st_mode & S_IXUSR)) {
		recover(d);
		state = file_open(d->dir, "state", O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK, 0644);
		if (state == -1)
			return fail(d, e, "write", "/state");
		close(state);
	} else {
		d->bytes = (uint64_t)st.st_size;
	}
	d->current = open_current(d);
	return d->current != -1 || fail(d, e, "write", "/current");
}

bool logdir_open(struct logdir *d, const struct logdir_settings *set, struct err *e)
{
	*d = (struct logdir){ .set = *set, .dir = -1, .lock = -1, .current = -1, .out = BUF_INIT(OUT_MAX) };
	/* Whatever stands in the way shows when it is opened. */
	mkdir(set->name, 0700);
	d->dir = file_open_dir(AT_FDCWD, set->name);
	if (d->dir == -1)
		return err_sys(e, errno, "unable to open directory %s", set->name);
	d->lock = file_open(d->dir, "lock", O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK, 0600);
	if (d->lock == -1 || flock(d->lock, LOCK_EX | LOCK_NB) == -1)
		return err_sys(e, errno, "unable to lock directory %s", set->name);
	errno = 0;
	return open_files(d, e);
}

void logdir_flush(struct logdir *d)
{
	size_t done = 0;

	while (done < d->out.n) {
		ssize_t r = write(d->current, d->out.p + done, d->out.n - done);

		if (r > 0)
			done += (size_t)r;
		else if (r == 0 || errno != EINTR)
			logdir_trouble(d, "write to", "/current");
	}
	buf_clear(&d->out);
}

static void new_file(struct logdir *d)
{
	logdir_flush(d);
	while (file_sync(d->current) == -1)
		logdir_trouble(d, "write", "/current to disk");
	close(d->current);
	while (file_rename(d->dir, "current", d->dir, "previous") == -1)
		logdir_trouble(d, "rename current to previous in directory", "");
	while ((d->current = open_current(d)) == -1)
		logdir_trouble(d, "create", "/current");
	d->bytes = 0;
	while (fchmodat(d->dir, "previous", MODE_DONE, 0) == -1)
		logdir_trouble(d, "set mode of", "/previous");
	if (d->set.processor)
		logdir_process(d);
	else
		logdir_finish(d, "previous", 's');
}

static void put(struct logdir *d, struct str bytes)
{
	if (d->out.n + bytes.n > OUT_MAX)
		logdir_flush(d);
	d->bytes += bytes.n;
	while (bytes.n) {
		struct str part = str_head(bytes, OUT_MAX - d->out.n);

		buf_add(&d->out, part);
		if (d->out.n == OUT_MAX)
			logdir_flush(d);
		bytes = str_from(bytes, part.n);
	}
}

void logdir_write(struct logdir *d, struct str piece)
{
	while (piece.n) {
		struct str part = str_head(piece, d->bytes < d->set.size ? d->set.size - d->bytes : 0);
		bool line_ends = part.n && part.p[part.n - 1] == '\n';

		put(d, part);
		piece = str_from(piece, part.n);
		if (d->bytes >= d->set.size || (line_ends && d->bytes + ROOM_FOR_LINES >= d->set.size))
			new_file(d);
	}
}

void logdir_rotate(struct logdir *d)
{
	if (d->bytes)
		new_file(d);
}

void logdir_close(struct logdir *d)
{
	logdir_flush(d);
	while (file_sync(d->current) == -1)
		logdir_trouble(d, "write", "/current to disk");
	while (fchmod(d->current, MODE_DONE) == -1)
		logdir_trouble(d, "set mode of", "/current");
	close(d->current);
	close(d->lock);
	close(d->dir);
	buf_free(&d->out);
}

/*
 * svstat DIR…: one line about each supervised service (contract-companions
 * §2.2). What is wrong with one is said in its line; exit 0.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervision/svdir.h"
#include "supervision/svstatus.h"
#include "sys/clock.h"
#include "sys/io.h"

#define LINE_LIMIT 4096

static void problem(struct buf *line, const char *what)
{
	buf_addf(line, "%s: %s", what, errno_text(errno));
}

/* A reader of supervise/ok means that a supervise lives. */
static bool running(int dir, struct buf *line)
{
	int fd = svdir_fifo(dir, "ok");

	if (fd != -1)
		close(fd);
	else if (errno == ENXIO)
		buf_addz(line, "supervise not running");
	else
		problem(line, "unable to open supervise/ok");
	return fd != -1;
}

static bool read_status(int dir, struct svstatus *s, struct buf *line)
{
	unsigned char packed[SVSTATUS_SIZE];
	int fd = openat(dir, "supervise/status", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ssize_t r;

	if (fd == -1) {
		problem(line, "unable to open supervise/status");
		return false;
	}
	r = io_read(fd, packed, sizeof packed);
	if (r == -1)
		problem(line, "unable to read supervise/status");
	else if (r < SVSTATUS_SIZE)
		buf_addz(line, "unable to read supervise/status: bad format");
	close(fd);
	if (r == SVSTATUS_SIZE)
		*s = svstatus_unpack(packed);
	return r == SVSTATUS_SIZE;
}

/* A directory of the older form of supervise: a line without the name, to be read through tailocal. */
static bool describe_older(int dir, struct buf *line)
{
	unsigned char packed[OLDSTATUS_SIZE];
	int fd = openat(dir, "status", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	bool normally_up, whole;
	struct svstatus s;

	if (fd == -1)
		return false;
	whole = io_read(fd, packed, sizeof packed) == OLDSTATUS_SIZE;
	close(fd);
	if (whole) {
		s = oldstatus_unpack(packed, &normally_up);
		oldstatus_text(line, &s, normally_up);
	}
	return whole;
}

static bool is_older(int dir)
{
	struct stat st;

	return fstatat(dir, "supervise", &st, 0) == -1 && fstatat(dir, "svcontrol", &st, 0) == 0 &&
	       S_ISFIFO(st.st_mode);
}

/* False: the line is complete without the name. */
static bool describe(const char *name, struct buf *line)
{
	int dir = svdir_open(name);
	bool normally_up = false;
	struct svstatus s;
	struct stat st;

	if (dir == -1) {
		problem(line, "unable to chdir");
		return true;
	}
	if (is_older(dir) && describe_older(dir, line)) {
		close(dir);
		return false;
	}
	if (fstatat(dir, "down", &st, 0) == -1)
		normally_up = errno == ENOENT;
	else
		errno = 0;
	if (!normally_up && errno != 0)
		problem(line, "unable to stat down");
	else if (running(dir, line) && read_status(dir, &s, line))
		svstatus_text(line, &s, normally_up, clock_wall());
	close(dir);
	return true;
}

int main(int argc, char **argv)
{
	struct buf line = BUF_INIT(LINE_LIMIT);

	for (int i = 1; i < argc; i++) {
		buf_clear(&line);
		if (describe(argv[i], &line))
			printf("%s: ", argv[i]);
		puts(buf_cstr(&line));
	}
	buf_free(&line);
	return fflush(stdout) == 0 ? 0 : 111;
}

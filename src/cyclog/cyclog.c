/*
 * cyclog [ -sSIZE ] [ -nNUM ] [ -mMARGIN ] DIR: keeps the last of what it
 * reads in DIR, in files of a limited size and number, named by the time at
 * which they were begun (contract-companions §2.1). Trouble makes it wait a
 * minute and try again.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/exitcode.h"
#include "filter/tool.h"
#include "linelog/oldlogs.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/io.h"
#include "sys/options.h"

#define ME "cyclog"
#define USAGE "[ -ssize ] [ -nnum ] [ -mmargin ] dir"
#define SIZE_MIN 512
#define NAME_DIGITS 14
#define PAUSE_SECONDS 60
#define CHUNK 65536

struct cycle {
	const char *name;
	uint64_t size, number, margin;
	int dir, fd;
	uint64_t room; /* bytes that may still go into fd */
	int64_t begun; /* the last file's second: names must differ */
};

static void trouble(const struct cycle *c, const char *what)
{
	tool_warn(ME, "unable to %s %s, pausing: %s", what, c->name, errno_text(errno));
	sleep(PAUSE_SECONDS);
}

static void remove_old(const struct cycle *c)
{
	char oldest[NAME_MAX + 1];
	int n;

	while ((n = oldlogs_look(c->dir, NAME_DIGITS + 1, oldest)) == -1 || (uint64_t)n >= c->number)
		if (n == -1)
			trouble(c, "read directory");
		else if (file_unlink(c->dir, oldest) == -1 && errno != ENOENT)
			trouble(c, "remove a file in");
}

static void begin(struct cycle *c)
{
	char name[NAME_DIGITS + 8];

	remove_old(c);
	for (;;) {
		while (clock_wall() == c->begun)
			usleep(50000);
		c->begun = clock_wall();
		snprintf(name, sizeof name, "@%0*" PRId64, NAME_DIGITS, c->begun);
		c->fd = file_open(c->dir, name, O_WRONLY | O_CREAT | O_EXCL, 0644);
		if (c->fd != -1)
			break;
		if (errno != EEXIST)
			trouble(c, "create a file in");
	}
	c->room = c->size;
}

static void finish(struct cycle *c)
{
	if (c->fd == -1)
		return;
	while (file_sync(c->fd) == -1 || fchmod(c->fd, 0444) == -1)
		trouble(c, "finish a file in");
	close(c->fd);
	c->fd = -1;
}

static void put(struct cycle *c, struct str bytes)
{
	while (bytes.n) {
		ssize_t r = write(c->fd, bytes.p, bytes.n);

		if (r > 0)
			bytes = str_from(bytes, (size_t)r);
		else if (r == 0 || errno != EINTR)
			trouble(c, "write to a file in");
	}
}

/* As many bytes as go into the present file: to its end, or to the first LF in its margin. */
static size_t portion(const struct cycle *c, struct str rest)
{
	struct str fits = str_head(rest, c->room);
	size_t before = c->room > c->margin ? c->room - c->margin - 1 : 0, lf;

	if (before >= fits.n)
		return fits.n;
	lf = before + str_chr(str_from(fits, before), '\n');
	return lf < fits.n ? lf + 1 : fits.n;
}

static void take(struct cycle *c, struct str rest)
{
	while (rest.n) {
		size_t n;

		if (c->fd == -1)
			begin(c);
		n = portion(c, rest);
		put(c, str_head(rest, n));
		c->room -= n;
		if (c->room == 0 || (c->room <= c->margin && rest.p[n - 1] == '\n'))
			finish(c);
		rest = str_from(rest, n);
	}
}

static void parse(struct cycle *c, int argc, char **argv)
{
	int o;

	while ((o = options_next(argc, argv, "s:n:m:")) != -1) {
		if (o == '?')
			tool_usage(ME, USAGE);
		*(o == 's' ? &c->size : o == 'n' ? &c->number : &c->margin) = options_number(optarg, UINT32_MAX);
	}
	if (optind >= argc)
		tool_usage(ME, USAGE);
	c->name = argv[optind];
	c->size = c->size < SIZE_MIN ? SIZE_MIN : c->size;
	c->number = c->number < 1 ? 1 : c->number;
	c->margin = c->margin > c->size ? c->size : c->margin;
}

int main(int argc, char **argv)
{
	struct cycle c = { .size = 104000, .number = 10, .margin = 4000, .fd = -1 };
	static char chunk[CHUNK];
	ssize_t r;

	parse(&c, argc, argv);
	umask(022);
	c.dir = file_open_dir(AT_FDCWD, c.name);
	if (c.dir == -1)
		tool_die(ME, EXIT_TEMPORARY, "unable to open directory %s: %s", c.name, errno_text(errno));
	while ((r = io_read(0, chunk, sizeof chunk)) > 0)
		take(&c, (struct str){ chunk, (size_t)r });
	finish(&c);
	if (r == -1)
		tool_die(ME, EXIT_TEMPORARY, "unable to read input: %s", errno_text(errno));
	return 0;
}

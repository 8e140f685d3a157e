/*
 * envdir DIR PROGRAM…: sets the variables that the files of DIR describe and
 * becomes the program (contract-companions §2.2). Exit 111 for trouble, also
 * for a wrong call.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/exitcode.h"
#include "filter/chain.h"
#include "filter/tool.h"
#include "supervision/vardir.h"
#include "sys/file.h"
#include "sys/io.h"

#define ME "envdir"
/* What the kernel takes for one string of an environment. */
#define FILE_MAX (128u * 1024)

struct reading {
	const char *name; /* of the directory */
	int dir;
	struct childenv env;
	struct buf content, value;
};

static bool take(void *ctx, const char *name)
{
	struct reading *r = ctx;
	int fd;

	if (*name == '.')
		return true;
	buf_clear(&r->content);
	fd = openat(r->dir, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd == -1 || !io_read_rest(fd, &r->content))
		tool_die(ME, EXIT_TEMPORARY, "unable to read %s/%s: %s", r->name, name, errno_text(errno));
	close(fd);
	if (vardir_value(buf_str(&r->content), &r->value))
		childenv_set_str(&r->env, str_of(name), buf_str(&r->value));
	else
		childenv_remove(&r->env, str_of(name));
	return true;
}

int main(int argc, char **argv)
{
	struct reading r = { .env = childenv_start(), .content = BUF_INIT(FILE_MAX), .value = BUF_INIT(FILE_MAX) };

	if (argc < 3) {
		fputs(ME ": usage: " ME " dir child\n", stderr);
		return EXIT_TEMPORARY;
	}
	r.name = argv[1];
	r.dir = file_open_dir(AT_FDCWD, r.name);
	if (r.dir == -1)
		tool_die(ME, EXIT_TEMPORARY, "unable to switch to directory %s: %s", r.name, errno_text(errno));
	if (file_list(r.dir, take, &r) == -1)
		tool_die(ME, EXIT_TEMPORARY, "unable to read directory %s: %s", r.name, errno_text(errno));
	chain_run(ME, argv + 2, &r.env);
}

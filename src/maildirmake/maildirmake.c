/*
 * maildirmake NAME: a new Maildir, for nobody but its owner (contract §19).
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "filter/tool.h"

#define ME "maildirmake"
#define PATH_LIMIT 65536

static void make(const char *path)
{
	if (mkdir(path, 0700) == -1)
		tool_die(ME, 111, "unable to mkdir %s: %s", path, errno_text(errno));
}

int main(int argc, char **argv)
{
	static const char *const parts[] = { "", "/tmp", "/new", "/cur" };
	struct buf path = BUF_INIT(PATH_LIMIT);

	if (argc != 2 || argv[1][0] == 0)
		tool_usage(ME, "name");
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		buf_clear(&path);
		buf_addz(&path, argv[1]);
		buf_addz(&path, parts[i]);
		make(buf_cstr(&path));
	}
	buf_free(&path);
	return 0;
}

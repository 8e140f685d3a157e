/*
 * setmaillist LIST.bin LIST.tmp: makes a binary mailing list of the text on
 * standard input (contract-companions §4.3). Exit 0; 100 malformed; 111.
 */
#include <errno.h>
#include <sys/stat.h>

#include "aliases/listfile.h"
#include "aliases/maillist.h"
#include "base/exitcode.h"
#include "filter/tool.h"
#include "sys/io.h"

#define ME "setmaillist"
#define TEXT_MAX (1u << 30)

int main(int argc, char **argv)
{
	struct buf text = BUF_INIT(TEXT_MAX), list = BUF_INIT(SIZE_MAX);
	struct err e;

	if (argc != 3)
		tool_usage(ME, "list.bin list.tmp");
	umask(033);
	if (!io_read_rest(0, &text))
		tool_die(ME, EXIT_TEMPORARY, "unable to read input: %s", errno_text(errno));
	if (!maillist_compile(buf_str(&text), &list, &e))
		tool_fail(ME, &e);
	if (!listfile_replace(argv[1], argv[2], buf_str(&list), &e))
		tool_die(ME, EXIT_TEMPORARY, "%s", e.text);
	buf_free(&text);
	buf_free(&list);
	return 0;
}

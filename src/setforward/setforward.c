/*
 * setforward DATA.cdb DATA.tmp: makes an alias database of the text on
 * standard input (contract-companions §4.2). Exit 0; 100 malformed; 111.
 */
#include <errno.h>
#include <fcntl.h>

#include "aliases/aliasdb.h"
#include "aliases/forwardtext.h"
#include "base/exitcode.h"
#include "filter/tool.h"
#include "sys/io.h"

#define ME "setforward"
#define TEXT_MAX (1u << 30)

int main(int argc, char **argv)
{
	struct buf text = BUF_INIT(TEXT_MAX);
	struct cdbmaker m;
	struct err e;

	if (argc != 3)
		tool_usage(ME, "data.cdb data.tmp");
	if (!io_read_rest(0, &text))
		tool_die(ME, EXIT_TEMPORARY, "unable to read input: %s", errno_text(errno));
	if (!cdbmaker_start(&m, AT_FDCWD, argv[1], argv[2], 0644, &e))
		tool_die(ME, EXIT_TEMPORARY, "%s", e.text);
	if (!aliasdb_finish(&m, forwardtext_compile(buf_str(&text), aliasdb_add, &m, &e), &e))
		tool_fail(ME, &e);
	buf_free(&text);
	return 0;
}

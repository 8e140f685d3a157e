/*
 * newinclude LIST: the mailing list LIST as a binary list LIST.bin
 * (contract-companions §4.3). Exit 0, 100 or 111.
 */
#include <sys/stat.h>

#include "aliases/aliasfile.h"
#include "aliases/aliassource.h"
#include "aliases/listfile.h"
#include "base/exitcode.h"
#include "filter/tool.h"

#define ME "newinclude"

int main(int argc, char **argv)
{
	struct buf list = BUF_INIT(SIZE_MAX);
	struct alias_text t;
	struct err e;

	if (argc != 2)
		tool_usage(ME, "list");
	umask(033);
	if (!alias_text_read(&t, argv[1], ".bin", true, &e))
		tool_die(ME, EXIT_TEMPORARY, "%s", e.text);
	if (!aliasfile_compile_list(buf_str(&t.text), &t.rules, &list, &e))
		tool_fail(ME, &e);
	if (!listfile_replace(buf_cstr(&t.result), buf_cstr(&t.tmp), buf_str(&list), &e))
		tool_die(ME, EXIT_TEMPORARY, "%s", e.text);
	buf_free(&list);
	alias_text_free(&t);
	return 0;
}

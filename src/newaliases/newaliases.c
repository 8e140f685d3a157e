/*
 * newaliases [ FILE ]: /etc/aliases, or FILE, as an alias database beside it
 * with the name FILE.cdb (contract-companions §4.3). Exit 0, 100 or 111.
 */
#include <fcntl.h>
#include <sys/stat.h>

#include "aliases/aliasdb.h"
#include "aliases/aliasfile.h"
#include "aliases/aliassource.h"
#include "base/exitcode.h"
#include "filter/tool.h"

#define ME "newaliases"

int main(int argc, char **argv)
{
	struct alias_text t;
	struct cdbmaker m;
	struct err e;

	if (argc > 2)
		tool_usage(ME, "[ file ]");
	umask(033);
	if (!alias_text_read(&t, argc > 1 ? argv[1] : "/etc/aliases", ".cdb", false, &e))
		tool_die(ME, EXIT_TEMPORARY, "%s", e.text);
	if (!cdbmaker_start(&m, AT_FDCWD, buf_cstr(&t.result), buf_cstr(&t.tmp), 0644, &e))
		tool_die(ME, EXIT_TEMPORARY, "%s", e.text);
	if (!aliasdb_finish(&m, aliasfile_compile(buf_str(&t.text), &t.rules, aliasdb_add, &m, &e), &e))
		tool_fail(ME, &e);
	alias_text_free(&t);
	return 0;
}

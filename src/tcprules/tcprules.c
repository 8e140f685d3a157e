/*
 * tcprules RULES.CDB RULES.TMP: compiles the rules on the standard input
 * (contract-companions §1.3). RULES.CDB changes at once, or not at all.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/exitcode.h"
#include "cdb/cdbmaker.h"
#include "filter/tool.h"
#include "netrules/rulesource.h"
#include "sys/io.h"

#define ME "tcprules"
#define INPUT_MAX (1u << 30)

struct compiler {
	struct cdbmaker maker;
	struct err e;
};

static bool add(void *ctx, struct str key, struct str value)
{
	struct compiler *c = ctx;

	return cdbmaker_add(&c->maker, key, value, &c->e);
}

static void compile(struct compiler *c, struct str text)
{
	struct str line;
	bool stopped;

	for (unsigned long number = 1; str_next_line(&text, &line); number++) {
		enum rulesource r = rulesource_read(line, add, c, &stopped);

		if (r == RULESOURCE_IGNORED)
			fprintf(stderr, "%s: warning: line %lu has no colon and does nothing: %.*s\n", ME, number,
				STR_ARG(line));
		if (r != RULESOURCE_BAD && !stopped)
			continue;
		cdbmaker_cancel(&c->maker);
		if (stopped)
			tool_die(ME, EXIT_TEMPORARY, "%s", c->e.text);
		tool_die(ME, EXIT_PERMANENT, "unable to parse this line: %.*s", STR_ARG(line));
	}
}

int main(int argc, char **argv)
{
	struct buf text = BUF_INIT(INPUT_MAX);
	struct compiler c;

	if (argc < 3)
		tool_usage(ME, "rules.cdb rules.tmp");
	if (!cdbmaker_start(&c.maker, AT_FDCWD, argv[1], argv[2], 0644, &c.e))
		tool_die(ME, EXIT_TEMPORARY, "%s", c.e.text);
	if (!io_read_rest(0, &text)) {
		cdbmaker_cancel(&c.maker);
		tool_die(ME, EXIT_TEMPORARY, "unable to read input: %s", errno_text(errno));
	}
	compile(&c, buf_str(&text));
	if (!cdbmaker_finish(&c.maker, &c.e))
		tool_die(ME, EXIT_TEMPORARY, "%s", c.e.text);
	buf_free(&text);
	return 0;
}

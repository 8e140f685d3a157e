/*
 * fixcrio PROGRAM…: runs it with a CR before every LF that lacks one, in both
 * directions (contract-companions §1.5).
 */
#include "filter/tool.h"
#include "mail/lineends.h"
#include "ucspi/between.h"

#define ME "fixcrio"

static void fix(void *ctx, bool to_program, struct str data, struct buf *out)
{
	struct lineends *ways = ctx;

	lineends_fix(&ways[to_program], out, data);
}

int main(int argc, char **argv)
{
	struct lineends ways[2] = { { false }, { false } };
	struct between r = { .me = ME, .pass = fix, .ctx = ways };

	if (argc < 2)
		tool_usage(ME, "program [ arg ... ]");
	between_run(&r, argv + 1);
}

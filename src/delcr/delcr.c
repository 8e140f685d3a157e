/*
 * delcr: copies the standard input to the output, without the one CR before each LF
 * (contract-companions §1.5).
 */
#include "base/exitcode.h"
#include "filter/tool.h"
#include "ucspi/crfilter.h"

int main(void)
{
	struct err e;

	if (!crfilter_copy(CRFILTER_REMOVE, 0, 1, &e))
		tool_die("delcr", EXIT_TEMPORARY, "%s", e.text);
	return 0;
}

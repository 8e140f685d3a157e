/*
 * addcr: copies the standard input to the output, a CR before every LF
 * (contract-companions §1.5).
 */
#include "base/exitcode.h"
#include "filter/tool.h"
#include "ucspi/crfilter.h"

int main(void)
{
	struct err e;

	if (!crfilter_copy(CRFILTER_ADD, 0, 1, &e))
		tool_die("addcr", EXIT_TEMPORARY, "%s", e.text);
	return 0;
}

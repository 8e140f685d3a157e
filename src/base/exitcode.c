#include "base/exitcode.h"

#include <stddef.h>

bool exit_code_permanent(int code)
{
	/* qmail's own, and those of sysexits.h that cannot change; EX_NOUSER (67) is not among them. */
	static const int permanent[] = { EXIT_PERMANENT, 112, 64, 65, 70, 76, 77, 78 };

	for (size_t i = 0; i < sizeof permanent / sizeof *permanent; i++)
		if (code == permanent[i])
			return true;
	return false;
}

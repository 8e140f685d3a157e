/*
 * mconnect-io: a conversation with the server on descriptors 6 and 7, as
 * tcpclient sets them: typed lines go there with CR LF, what comes is shown
 * as it is. Ends when the server does (contract-companions §1.5).
 */
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "base/exitcode.h"
#include "filter/tool.h"
#include "ucspi/crfilter.h"

#define ME "mconnect-io"

int main(void)
{
	struct err e;
	pid_t pid = fork();
	bool ok;

	if (pid == -1)
		tool_die(ME, EXIT_TEMPORARY, "unable to fork: %s", errno_text(errno));
	if (pid == 0) {
		if (!crfilter_copy(CRFILTER_ADD, 0, 7, &e))
			tool_die(ME, EXIT_TEMPORARY, "%s", e.text);
		return 0;
	}
	ok = crfilter_copy(CRFILTER_NONE, 6, 1, &e);
	kill(pid, SIGTERM);
	if (!ok)
		tool_die(ME, EXIT_TEMPORARY, "%s", e.text);
	return 0;
}

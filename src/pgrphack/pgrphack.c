/*
 * pgrphack PROGRAM…: the program in a session and process group of its own
 * (contract-companions §2.2). Exit 111 for trouble.
 */
#include <unistd.h>

#include "filter/chain.h"
#include "filter/tool.h"

#define ME "pgrphack"

int main(int argc, char **argv)
{
	if (argc < 2)
		tool_usage(ME, "child");
	/* Fails only where we lead a group already, which is what is wanted. */
	setsid();
	chain_run(ME, argv + 1, NULL);
}

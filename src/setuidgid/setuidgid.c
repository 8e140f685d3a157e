/*
 * setuidgid ACCOUNT PROGRAM…: becomes the account, with its one primary
 * group, and then the program (contract-companions §2.2). Exit 111 for
 * trouble.
 */
#include "filter/chain.h"
#include "filter/tool.h"
#include "supervision/account.h"

#define ME "setuidgid"

int main(int argc, char **argv)
{
	if (argc < 3)
		tool_usage(ME, "account child");
	account_become(ME, argv[1]);
	chain_run(ME, argv + 2, NULL);
}

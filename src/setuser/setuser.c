/*
 * setuser USER PROGRAM…: setuidgid under its older name (contract-companions
 * §2.1). Exit 111 for trouble.
 */
#include "filter/chain.h"
#include "filter/tool.h"
#include "supervision/account.h"

#define ME "setuser"

int main(int argc, char **argv)
{
	if (argc < 3)
		tool_usage(ME, "user program [ arg ... ]");
	account_become(ME, argv[1]);
	chain_run(ME, argv + 2, NULL);
}

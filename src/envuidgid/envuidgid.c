/*
 * envuidgid ACCOUNT PROGRAM…: puts the account's numbers into $UID and $GID
 * and becomes the program (contract-companions §2.2). Rights stay as they
 * are. Exit 111 for trouble.
 */
#include <stdio.h>

#include "filter/chain.h"
#include "filter/tool.h"
#include "supervision/account.h"

#define ME "envuidgid"

int main(int argc, char **argv)
{
	struct childenv env = childenv_start();
	struct account_ids ids;
	char number[24];

	if (argc < 3)
		tool_usage(ME, "account child");
	ids = account_find(ME, argv[1]);
	snprintf(number, sizeof number, "%lu", (unsigned long)ids.gid);
	childenv_set(&env, "GID", number);
	snprintf(number, sizeof number, "%lu", (unsigned long)ids.uid);
	childenv_set(&env, "UID", number);
	chain_run(ME, argv + 2, &env);
}

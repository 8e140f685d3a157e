/*
 * setuidgid ACCOUNT PROGRAM…: becomes the account, with its one primary
 * group, and then the program (contract-companions §2.2). Exit 111 for
 * trouble.
 */
#include "supervision/account.h"

int main(int argc, char **argv)
{
	account_run("setuidgid", "account child", argc, argv);
}

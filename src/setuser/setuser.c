/*
 * setuser USER PROGRAM…: setuidgid under its older name (contract-companions
 * §2.1). Exit 111 for trouble.
 */
#include "supervision/account.h"

int main(int argc, char **argv)
{
	account_run("setuser", "user program [ arg ... ]", argc, argv);
}

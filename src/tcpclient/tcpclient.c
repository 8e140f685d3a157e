/*
 * tcpclient [ options ] HOST PORT PROGRAM…: connects, and runs the program
 * with the connection on descriptors 6 and 7 (contract-companions §1.6).
 *
 * Beyond the old tcpclient: IPv6. A host's IPv4 addresses are tried first; -4
 * and -6 allow only one family.
 */
#include "tcpcaller/tcpcaller.h"

int main(int argc, char **argv)
{
	struct tcpcaller t = TCPCALLER_INIT("tcpclient");
	struct connection c = CONNECTION_INIT;
	struct childenv env = childenv_start();
	int fd;

	tcpcaller_arguments(&t, argc, argv, TCPCALLER_LETTERS, NULL);
	fd = tcpcaller_connect(&t, &c);
	connection_environment(&c, &env);
	tcpcaller_run(&t, fd, fd, &env);
}

/*
 * tcpserver [ options ] HOST PORT PROGRAM…: runs a program for each TCP
 * connection, after rules, names and limits (contract-companions §1.2).
 *
 * Beyond the old tcpserver: IPv6 (an address with colons, `:0` for all
 * addresses of both families; -4 and -6 for names and for `0`); connections
 * that a proxy passes on (-Z).
 */
#include "tcpservice/tcpservice.h"

int main(int argc, char **argv)
{
	struct tcpservice t = TCPSERVICE_INIT("tcpserver");

	tcpservice_arguments(&t, argc, argv, TCPSERVICE_LETTERS, NULL);
	tcpservice_run(&t);
}

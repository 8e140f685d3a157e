/*
 * qail ARGUMENTS: maildir2mbox, then Mail (contract §19).
 */
#include "filter/mailreader.h"

int main(int argc, char **argv)
{
	(void)argc;
	mailreader_run("qail", "Mail", argv);
}

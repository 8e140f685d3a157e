/*
 * pinq ARGUMENTS: maildir2mbox, then pine (contract §19).
 */
#include "filter/mailreader.h"

int main(int argc, char **argv)
{
	(void)argc;
	mailreader_run("pinq", "pine", argv);
}

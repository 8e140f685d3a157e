/*
 * elq ARGUMENTS: maildir2mbox, then elm (contract §19).
 */
#include "filter/mailreader.h"

int main(int argc, char **argv)
{
	(void)argc;
	mailreader_run("elq", "elm", argv);
}

/*
 * mailreader: a mail program that reads an mbox, for a user whose mail comes
 * into a Maildir (contract §19): qail, elq and pinq.
 */
#ifndef FILTER_MAILREADER_H
#define FILTER_MAILREADER_H

/*
 * Runs maildir2mbox and then becomes `program` with our arguments. When
 * maildir2mbox fails, exits as it did. Does not return.
 */
_Noreturn void mailreader_run(const char *me, const char *program, char **argv);

#endif

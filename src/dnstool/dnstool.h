/*
 * dnstool: what the small DNS programs share (contract §20): one question to
 * qmail-resolve, and how they end without an answer.
 */
#ifndef DNSTOOL_DNSTOOL_H
#define DNSTOOL_DNSTOOL_H

#include "dns/dnsanswer.h"

/*
 * Asks and returns an answer that was found, to be released with
 * dnstool_free. Ends the program otherwise: 100 for "there is no such thing",
 * 111 for "not known now".
 */
struct dns_answer *dnstool_ask(const char *me, enum dns_type type, struct str name);
void dnstool_free(struct dns_answer *answer);

/* The one argument of such a program; a usage line and exit 100 without. */
struct str dnstool_argument(const char *me, int argc, char **argv, const char *what);

/* Prints an A or AAAA record's address. */
void dnstool_print_address(const struct dns_record *r);

#endif

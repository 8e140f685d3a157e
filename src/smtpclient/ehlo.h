/*
 * ehlo: what a server offers in its reply to EHLO (RFC 5321 §4.1.1.1).
 */
#ifndef SMTPCLIENT_EHLO_H
#define SMTPCLIENT_EHLO_H

#include "base/str.h"

struct ehlo {
	bool pipelining;   /* RFC 2920 */
	bool eightbitmime; /* RFC 6152 */
	bool smtputf8;     /* RFC 6531 */
	bool size;         /* RFC 1870 */
	uint64_t size_max; /* largest message it takes, 0: does not say */
};

/* Reads the lines of a reply as smtpreply keeps it; unknown keywords are skipped. */
struct ehlo ehlo_parse(struct str reply);

#endif

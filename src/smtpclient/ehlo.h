/*
 * ehlo: what a server offers in its reply to EHLO (RFC 5321 §4.1.1.1).
 */
#ifndef SMTPCLIENT_EHLO_H
#define SMTPCLIENT_EHLO_H

#include "base/str.h"

enum ehlo_auth { EHLO_PLAIN = 1, EHLO_LOGIN = 2, EHLO_CRAM_MD5 = 4 };

struct ehlo {
	bool pipelining;     /* RFC 2920 */
	bool eightbitmime;   /* RFC 6152 */
	bool smtputf8;       /* RFC 6531 */
	bool size;           /* RFC 1870 */
	bool starttls;       /* RFC 3207 */
	bool chunking;       /* RFC 3030 */
	bool dsn;            /* RFC 3461 */
	uint64_t size_max;   /* largest message it takes, 0: does not say */
	uint64_t rcpt_max;   /* recipients in a transaction (RFC 9422), 0: does not say */
	uint64_t mail_max;   /* transactions in a session */
	uint64_t domain_max; /* different domains of recipients in a session */
	unsigned auth;       /* enum ehlo_auth, or-ed (RFC 4954) */
};

/* Reads the lines of a reply as smtpreply keeps it; unknown keywords are skipped. */
struct ehlo ehlo_parse(struct str reply);

/* The mechanism of that name, without regard to case; 0: not one of ours. */
unsigned ehlo_auth_of(struct str name);

#endif

/*
 * checkinput: what a program of the checkpassword interface reads from
 * descriptor 3 (contract-companions §3). Pure.
 *
 *   login NUL password NUL [timestamp NUL [more]]
 */
#ifndef CHECKER_CHECKINPUT_H
#define CHECKER_CHECKINPUT_H

#include "base/str.h"

#define CHECKINPUT_MAX 512

struct checkinput {
	/* Each ends in a NUL behind its view. */
	struct str login, password;
	struct str timestamp; /* the challenge of APOP or CRAM; empty when there is none */
};

/* Views look into `input`. False: the first two NULs are not there. */
bool checkinput_parse(struct str input, struct checkinput *c);

#endif

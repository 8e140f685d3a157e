/*
 * checkapop: passwords that were not sent but proved: APOP (RFC 1939 §7) and
 * CRAM-MD5 (RFC 2195). What stands in the password's place is a digest of
 * the challenge with the secret, in hexadecimal digits.
 */
#ifndef CHECKER_CHECKAPOP_H
#define CHECKER_CHECKAPOP_H

#include "checker/checkinput.h"

/* Does it prove the secret, in either way? */
bool checkapop_matches(const struct checkinput *c, struct str secret);

#endif

/*
 * diagnosis: what a report of a delivery says, in the terms of a delivery
 * status notification (RFC 3463, RFC 3464 §2.3). Pure.
 *
 * Reports are texts for humans: of qmail-remote ("192.0.2.1 does not like
 * recipient.\nRemote host said: 550 5.1.1 …"), of qmail-local and of
 * programs, most with a code "(#5.1.1)" in them.
 */
#ifndef NOTICE_DIAGNOSIS_H
#define NOTICE_DIAGNOSIS_H

#include "base/str.h"

#define DIAGNOSIS_STATUS_MAX 12 /* "5.999.999" and a NUL */

struct diagnosis {
	char status[DIAGNOSIS_STATUS_MAX]; /* RFC 3463 */
	struct str server; /* the other server's address, a view into the report; empty: there was none */
	struct str reply;  /* what it said, a view; empty: nothing that is known */
};

/*
 * `digit` is the class that the outcome has: '2' delivered, '4' not yet, '5'
 * failed. A status of another class in the report is not taken over. A message
 * that was tried for too long has 4.4.7.
 */
struct diagnosis diagnose(struct str report, char digit);

#endif

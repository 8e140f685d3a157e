/*
 * outcome: what qmail-lspawn reports when a delivery's process has ended
 * (contract §9.2). Pure.
 */
#ifndef LOCAL_OUTCOME_H
#define LOCAL_OUTCOME_H

#include "base/buf.h"

/* Output of a delivery that is kept; one byte more shows that there was more. */
#define OUTCOME_OUTPUT_MAX 3001

/*
 * status is as from wait(2), output what the delivery wrote, of which the
 * first OUTCOME_OUTPUT_MAX bytes matter. Appends the report's text, returns
 * its letter: K, Z or D.
 */
char outcome_report(int status, struct str output, struct buf *text);

#endif

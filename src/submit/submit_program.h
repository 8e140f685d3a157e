/*
 * submit_program: running the program named in $QMAILQUEUE instead of
 * submitting to the journal (contract §6.1). Internal to submit.
 */
#ifndef SUBMIT_SUBMIT_PROGRAM_H
#define SUBMIT_SUBMIT_PROGRAM_H

#include "submit/submit.h"

/* Statuses that no exit code can have. */
#define SUBMIT_STATUS_CRASHED 1001
#define SUBMIT_STATUS_WAIT 1002

bool submit_program_wanted(void);

/*
 * Starts it in the home directory with pipes: message on 0, envelope on 1
 * (readable), its own words on 6. Ignores SIGPIPE in this process from now on.
 */
bool submit_program_start(struct submit *s, struct err *e);

/*
 * Sends the envelope if status is 0, closes the pipes, waits. The status to report; r->qp is the program's pid,
 * and r->letter and r->text are set when the program gave its own text (exit 82, descriptor 6).
 */
int submit_program_finish(struct submit *s, int status, struct submit_result *r);

#endif

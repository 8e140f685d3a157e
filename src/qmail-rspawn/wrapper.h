/*
 * wrapper: deliveries by the program in $QMAILREMOTE (contract §9.3) instead of our own sessions.
 *
 * It is run as `program host sender recipient` for each recipient, the ones of a delivery one after the other, with the
 * message on descriptor 0, and reports on descriptor 1 as qmail-remote does. What it writes to descriptor 2 goes to the
 * log.
 */
#ifndef QMAIL_RSPAWN_WRAPPER_H
#define QMAIL_RSPAWN_WRAPPER_H

#include "qmail-rspawn/job.h"

struct wrapper;

/* The program, or NULL. */
const char *wrapper_program(void);

/* Takes the job, which job_end ends. */
void wrapper_start(struct job *j);

/* A child ended: to be called on SIGCHLD. */
void wrapper_reap(struct rspawn *r);

/* Gives up; a program that runs goes on. */
void wrapper_free(struct wrapper *w);

#endif

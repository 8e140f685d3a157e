/*
 * child: running another program with a message on descriptor 0 and waiting
 * for its verdict, the exit code. Programs without '/' in their name are
 * looked for in $PATH.
 */
#ifndef FILTER_CHILD_H
#define FILTER_CHILD_H

#include "base/err.h"
#include "base/str.h"

#define CHILD_CRASHED (-1) /* in place of an exit code: ended by a signal */

/*
 * Becomes argv[0]. When that cannot be, says so for `me` on descriptor 2 and
 * exits: 111 when it may work later, else 100.
 */
_Noreturn void child_become(const char *me, char *const *argv);

/* Runs argv with the descriptors as they are. False: it could not be started (e says why). */
bool child_run(const char *me, char *const *argv, int *code, struct err *e);

/*
 * Runs argv with `prefix` and then all that can be read from fd on its
 * descriptor 0. It need not read all of it. When fd cannot be read to its end
 * the program is killed, so that it does not take a part for the whole; false.
 */
bool child_feed(const char *me, char *const *argv, struct str prefix, int fd, int *code, struct err *e);

/*
 * Asks argv about the message on descriptor 0: its exit code. A program that
 * crashed or exited 111 ends this one with 111.
 */
int child_verdict(const char *me, char *const *argv);

#endif

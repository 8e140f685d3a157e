/*
 * quill: the operator's command; a thin front to programs and files that
 * stand alone.
 *
 *   quill.c         which command
 *   quill_init.c    quill init DIR
 *   quill_up.c      quill up DIR
 *   quill_status.c  quill status
 *   quill_trace.c   quill trace
 *   quill_why.c     quill why
 *   quill_queue.c   quill queue, with queue_import.c and queue_export.c
 *   quill_check.c   quill check
 *   quill_user.c    quill user: the table of mailboxes
 *   quill_dns.c     quill dns
 *   quill_setup.c   quill setup: accounts and owners
 *   quill_upgrade.c quill upgrade-check, with upgrade_*.c
 */
#ifndef QUILL_QUILL_H
#define QUILL_QUILL_H

#include <stdbool.h>

#include "base/err.h"

/* Each takes the arguments behind the command's name and returns the exit code. */
int quill_init(int argc, char **argv);
int quill_up(int argc, char **argv);
int quill_status(int argc, char **argv);
int quill_queue(int argc, char **argv);
int quill_trace(int argc, char **argv);
int quill_why(int argc, char **argv);
int quill_check(int argc, char **argv);
int quill_user(int argc, char **argv);
int quill_dns(int argc, char **argv);
int quill_setup(int argc, char **argv);
int quill_upgrade(int argc, char **argv);

/* Says "quill: fatal: …" and returns 111 (or 100). */
int quill_fail(int code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Tells each mistake around the table of mailboxes. */
void quill_check_mailboxes(void (*problem)(void *ctx, const char *text), void *ctx);

/* False: a file in control/ cannot be read as what it is, or there is no control/me; e says which. */
bool quill_controls_readable(struct err *e);

/* Makes the optional argument DIR the home. 0, or the exit code: said why. */
int quill_choose_home(int argc, char **argv);

#endif

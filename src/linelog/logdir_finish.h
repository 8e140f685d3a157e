/*
 * logdir_finish: parts of logdir: giving files their final names, processors,
 * and what happens when something fails. All of it goes on until it succeeds.
 */
#ifndef LINELOG_LOGDIR_FINISH_H
#define LINELOG_LOGDIR_FINISH_H

#include <sys/stat.h>

#include "linelog/logdir.h"

/* "me: warning: unable to WHAT NAME/FILE, pausing: …" by errno, then 5 seconds. */
void logdir_trouble(const struct logdir *d, const char *what, const char *file);

/* False if there is none. */
bool logdir_stat(const struct logdir *d, const char *file, struct stat *st);
/* No effect if there is none. */
void logdir_remove(const struct logdir *d, const char *file);

/* Gives the file its last name, with 's' or 'u' behind the time, and removes the oldest ones. No effect if there is
 * none. */
void logdir_finish(const struct logdir *d, const char *file, char code);

/* Runs the processor on previous; what it made of it is finished in its place. */
void logdir_process(const struct logdir *d);

#endif

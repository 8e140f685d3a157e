/*
 * tool: how the small programs of .qmail files and scripts end, and what they
 * need from the environment (contract §18). `me` is the program's own name.
 */
#ifndef FILTER_TOOL_H
#define FILTER_TOOL_H

#include "base/err.h"

/* "me: fatal: TEXT" on descriptor 2, then exit. */
_Noreturn void tool_die(const char *me, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* "me: warning: TEXT" on descriptor 2. */
void tool_warn(const char *me, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* tool_die with e's text; 100 or 111 by its kind. */
_Noreturn void tool_fail(const char *me, const struct err *e);

/* "me: usage: me ARGUMENTS", exit 100. */
_Noreturn void tool_usage(const char *me, const char *arguments);

/* The value of an environment variable that must be there: otherwise "NAME not set", exit 100. */
const char *tool_variable(const char *me, const char *name);

#endif

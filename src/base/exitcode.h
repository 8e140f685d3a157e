/*
 * exitcode: what the exit codes of programs that handle mail mean (contract
 * §10.4).
 */
#ifndef BASE_EXITCODE_H
#define BASE_EXITCODE_H

#include <stdbool.h>

#define EXIT_STOP 99 /* success; further lines of the .qmail file do not count */
#define EXIT_PERMANENT 100
#define EXIT_TEMPORARY 111

/* Is this failure for good? Of all codes other than 0 and 99, those that are not may go away by themselves. */
bool exit_code_permanent(int code);

#endif

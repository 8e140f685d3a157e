/*
 * command: shell commands of aliases and .forward files, given the message on
 * descriptor 0 (contract-companions §4.1).
 */
#ifndef FILTER_COMMAND_H
#define FILTER_COMMAND_H

#include <stdbool.h>

/* Puts descriptor 0 back to the start of the message; ends the program with 111 when that cannot be. */
void command_rewind(const char *me);

/*
 * Rewinds the message and runs the command; with `preline`, UFLINE, RPLINE and
 * DTLINE stand in front of it. Returns only if it exited 0: otherwise ends the
 * program with 100 or 111, by qmail's list of exit codes.
 */
void command_run(const char *me, const char *command, bool preline);

#endif

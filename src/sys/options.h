/*
 * options: command lines as the old tools read them (contract-companions
 * §0.2): single letters, bundled or not, arguments attached or in the next
 * word, `--` or the first other word ends them.
 */
#ifndef SYS_OPTIONS_H
#define SYS_OPTIONS_H

#include <stdint.h>

/*
 * As getopt(3) with `letters`, in its variables optarg and optind, but in the
 * old words: "PROG: illegal option -- X". Returns '?' after these; a usage
 * line should follow.
 */
int options_next(int argc, char **argv, const char *letters);

/* Leading decimal digits; none give 0, what follows is ignored, more than `max` gives max. */
uint64_t options_number(const char *text, uint64_t max);

#endif

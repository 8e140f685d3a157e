#include "sys/options.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"

int options_next(int argc, char **argv, const char *letters)
{
	char spec[80];
	const char *known, *me;
	int c;

	snprintf(spec, sizeof spec, "+%s", letters);
	opterr = 0;
	c = getopt(argc, argv, spec);
	if (c != '?')
		return c;
	me = strrchr(argv[0], '/');
	known = optopt == ':' ? NULL : strchr(letters, optopt);
	fprintf(stderr, "%s: %s -- %c\n", me ? me + 1 : argv[0],
		known && *known ? "option requires an argument" : "illegal option", optopt);
	return c;
}

uint64_t options_number(const char *text, uint64_t max)
{
	uint64_t n = 0;

	for (; chr_digit(*text); text++) {
		uint64_t digit = (uint64_t)(*text - '0');

		if (digit > max || n > (max - digit) / 10)
			return max;
		n = n * 10 + digit;
	}
	return n;
}

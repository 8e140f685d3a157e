/* A pattern, an LF, and a line: the match is what a plain reading of the rule says. */
#include <stdlib.h>

#include "linelog/linepattern.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool by_the_rule(struct str pattern, struct str line)
{
	size_t i = 0;

	for (size_t j = 0; j < pattern.n; j++) {
		if (pattern.p[j] == '*') {
			if (j + 1 == pattern.n)
				return true;
			while (i < line.n && line.p[i] != pattern.p[j + 1])
				i++;
			if (i == line.n)
				return false;
		} else if (i == line.n || line.p[i++] != pattern.p[j]) {
			return false;
		}
	}
	return i == line.n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str pattern, line;

	str_cut((struct str){ (const char *)data, size }, '\n', &pattern, &line);
	if (linepattern_match(pattern, line) != by_the_rule(pattern, line))
		abort();
	return 0;
}

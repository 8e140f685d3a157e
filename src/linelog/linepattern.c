#include "linelog/linepattern.h"

bool linepattern_match(struct str pattern, struct str line)
{
	for (; pattern.n; pattern = str_from(pattern, 1)) {
		if (pattern.p[0] != '*') {
			if (line.n == 0 || line.p[0] != pattern.p[0])
				return false;
			line = str_from(line, 1);
			continue;
		}
		if (pattern.n == 1)
			return true;
		line = str_from(line, str_chr(line, pattern.p[1]));
		if (line.n == 0)
			return false;
	}
	return line.n == 0;
}

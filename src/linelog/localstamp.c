#include "linelog/localstamp.h"

#include <stdio.h>
#include <time.h>

bool localstamp_add(struct localstamp *s, struct buf *out, int64_t unix_second)
{
	time_t t = (time_t)unix_second;
	struct tm tm;

	if (!s->known || s->second != unix_second) {
		if (localtime_r(&t, &tm) == NULL || tm.tm_year > 9999 - 1900 || tm.tm_year < -1900)
			return false;
		snprintf(s->text, sizeof s->text, "%04d-%02d-%02d %02d:%02d:%02d", tm.tm_year + 1900, tm.tm_mon + 1,
			 tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
		s->known = true;
		s->second = unix_second;
	}
	buf_addz(out, s->text);
	return true;
}

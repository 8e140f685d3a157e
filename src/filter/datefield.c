#include "filter/datefield.h"
#include "base/exitcode.h"

#include <stdlib.h>

#include "base/date.h"
#include "filter/child.h"
#include "filter/tool.h"
#include "sys/clock.h"

void datefield_add(struct buf *out, time_t now)
{
	struct tm tm;
	long offset = localtime_r(&now, &tm) ? tm.tm_gmtoff : 0;
	long minutes = labs(offset) / 60;
	struct buf date = BUF_INIT(100);

	/* The date of local time as if it were UTC, with the true zone in place of "-0000". */
	date_add_822(&date, (int64_t)now + offset);
	buf_addz(out, "Date: ");
	buf_add(out, str_head(buf_str(&date), date.n - 5));
	buf_addf(out, "%c%02ld%02ld\n", offset < 0 ? '-' : '+', minutes / 60, minutes % 60);
	buf_free(&date);
}

int datefield_feed(const char *me, char *const *argv)
{
	struct buf field = BUF_INIT(200);
	struct err e;
	int code;

	datefield_add(&field, (time_t)clock_wall());
	if (!child_feed(me, argv, buf_str(&field), 0, &code, &e))
		tool_fail(me, &e);
	if (code == CHILD_CRASHED)
		tool_die(me, EXIT_TEMPORARY, "child crashed");
	buf_free(&field);
	return code;
}

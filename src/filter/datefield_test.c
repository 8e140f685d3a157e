#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "filter/datefield.h"

static void in_zone(const char *zone, time_t now, const char *want)
{
	struct buf b = BUF_INIT(200);

	setenv("TZ", zone, 1);
	tzset();
	datefield_add(&b, now);
	assert_string_equal(buf_cstr(&b), want);
	buf_free(&b);
}

static void gives_local_dates(void **state)
{
	(void)state;
	in_zone("UTC0", 0, "Date: 1 Jan 1970 00:00:00 +0000\n");
	in_zone("ABC-5:30", 1790000000, "Date: 21 Sep 2026 19:43:20 +0530\n");
	in_zone("ABC3:45", 1790000000, "Date: 21 Sep 2026 10:28:20 -0345\n");
	in_zone("ABC0:30", 0, "Date: 31 Dec 1969 23:30:00 -0030\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(gives_local_dates) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <time.h>

#include "linelog/localstamp.h"

static void gives_local_time(void **state)
{
	struct localstamp s = { 0 };
	struct buf out = BUF_INIT(200);

	(void)state;
	setenv("TZ", "ABC-1:30", 1);
	tzset();
	assert_true(localstamp_add(&s, &out, 0));
	assert_true(localstamp_add(&s, &out, 0));
	assert_true(localstamp_add(&s, &out, 935467445));
	assert_string_equal(buf_cstr(&out), "1970-01-01 01:30:001970-01-01 01:30:001999-08-24 05:34:05");
	buf_clear(&out);
	assert_false(localstamp_add(&s, &out, INT64_MAX));
	assert_false(localstamp_add(&s, &out, INT64_MIN));
	assert_false(localstamp_add(&s, &out, 253402300800));
	assert_int_equal(out.n, 0);
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(gives_local_time) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

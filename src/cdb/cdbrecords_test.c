#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "cdb/cdbrecords.h"

static char image[2048 + 40];

/* Two records, "ab" = "c" and "" = "". */
static struct str sample(unsigned char end)
{
	memset(image, 0, sizeof image);
	image[0] = (char)end;
	image[1] = 8;
	image[2048] = 2;
	image[2052] = 1;
	memcpy(image + 2056, "abc", 3);
	return (struct str){ image, sizeof image };
}

static void takes_records_in_order(void **state)
{
	struct cdbrecords r = cdbrecords_of(sample(8 + 3 + 8));
	struct str key, value;

	(void)state;
	assert_true(cdbrecords_next(&r, &key, &value));
	assert_true(str_eq(key, STR("ab")) && str_eq(value, STR("c")));
	assert_true(cdbrecords_next(&r, &key, &value));
	assert_true(key.n == 0 && value.n == 0);
	assert_false(cdbrecords_next(&r, &key, &value));
	assert_false(r.bad);
	assert_false(cdbrecords_next(&r, &key, &value));
}

static void sees_damage(void **state)
{
	struct str key, value;
	struct cdbrecords r = cdbrecords_of(sample(8 + 3 + 7));

	(void)state;
	assert_true(cdbrecords_next(&r, &key, &value));
	assert_false(cdbrecords_next(&r, &key, &value));
	assert_true(r.bad);
	r = cdbrecords_of(sample(10));
	assert_false(cdbrecords_next(&r, &key, &value));
	assert_true(r.bad);
	assert_true(cdbrecords_of(str_head(sample(0), 2047)).bad);
	assert_true(cdbrecords_of(sample(41)).bad);
	assert_false(cdbrecords_of(str_head(sample(0), 2048)).bad);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_records_in_order),
		cmocka_unit_test(sees_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

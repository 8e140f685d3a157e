#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/tai64n.h"

static void label_is(int64_t ns, const char *want)
{
	char label[TAI64N_LABEL + 1] = { 0 };

	tai64n_label(label, tai64n_from_unix_ns(ns));
	assert_string_equal(label, want);
}

static void labels_are_as_published(void **state)
{
	(void)state;
	label_is(0, "@400000000000000a00000000");
	label_is(935467445787492500, "@4000000037c219bf2ef02e94");
	label_is(-1, "@40000000000000093b9ac9ff");
}

static void labels_are_read(void **state)
{
	struct tai64n t;

	(void)state;
	assert_true(tai64n_scan(STR("@4000000037c219bf2ef02e94 x"), &t));
	assert_int_equal(tai64n_unix(t), 935467445);
	assert_int_equal(t.nanoseconds, 787492500);
	assert_true(tai64n_scan(STR("@400000000000000900000000"), &t));
	assert_int_equal(tai64n_unix(t), -1);
	assert_false(tai64n_scan(STR("@4000000037c219bf2ef02e9"), &t));
	assert_false(tai64n_scan(STR("@4000000037C219BF2EF02E94"), &t));
	assert_false(tai64n_scan(STR("x4000000037c219bf2ef02e94"), &t));
	assert_false(tai64n_scan(STR("@4000000037c219bf3b9aca00"), &t));
	assert_false(tai64n_scan(STR(""), &t));
}

static void packing_is_big_endian(void **state)
{
	static const unsigned char want[TAI64N_PACKED] = {
		0x40, 0, 0, 0, 0x37, 0xc2, 0x19, 0xbf, 0x2e, 0xf0, 0x2e, 0x94
	};
	unsigned char packed[TAI64N_PACKED];
	struct tai64n t;

	(void)state;
	tai64n_pack(packed, tai64n_from_unix_ns(935467445787492500));
	assert_memory_equal(packed, want, sizeof want);
	t = tai64n_unpack(want);
	assert_int_equal(tai64n_unix(t), 935467445);
	assert_int_equal(t.nanoseconds, 787492500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(labels_are_as_published),
		cmocka_unit_test(labels_are_read),
		cmocka_unit_test(packing_is_big_endian),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

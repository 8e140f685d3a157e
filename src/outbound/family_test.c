#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "outbound/family.h"

static void test_choices(void **state)
{
	enum family f = FAMILY_V6_ONLY;

	(void)state;
	assert_true(family_parse(STR("any"), &f) && f == FAMILY_ANY);
	assert_true(family_allows(f, false) && family_allows(f, true));
	assert_true(family_parse(STR("6"), &f) && f == FAMILY_V6_FIRST && family_allows(f, false));
	assert_true(family_parse(STR("4"), &f) && f == FAMILY_V4_FIRST && family_allows(f, true));
	assert_true(family_parse(STR("4Only"), &f) && family_allows(f, false) && !family_allows(f, true));
	assert_true(family_parse(STR("6only"), &f) && !family_allows(f, false) && family_allows(f, true));
	assert_false(family_parse(STR(""), &f) || family_parse(STR("ipv4"), &f) || family_parse(STR("44"), &f));
}

/* The families of `before` ('4' and '6'), arranged. */
static void arranged(enum family f, const char *before, const char *after)
{
	struct peeraddress list[10] = { 0 };
	size_t n = strlen(before);

	for (size_t i = 0; i < n; i++)
		list[i].v6 = before[i] == '6';
	for (size_t i = 0; i < n; i++) {
		size_t k = family_pick(f, list, 0, i, n);
		struct peeraddress a = list[k];

		assert_in_range(k, i, n - 1);
		list[k] = list[i];
		list[i] = a;
		assert_int_equal(list[i].v6 ? '6' : '4', after[i]);
	}
}

static void test_order(void **state)
{
	(void)state;
	arranged(FAMILY_ANY, "666644", "646466");
	arranged(FAMILY_ANY, "4466", "4646");
	arranged(FAMILY_ANY, "444", "444");
	arranged(FAMILY_V4_FIRST, "6464", "4466");
	arranged(FAMILY_V6_FIRST, "4464", "6444");
	arranged(FAMILY_V6_FIRST, "44", "44");
}

static void test_short_attempts(void **state)
{
	struct peeraddress list[3] = { { .v6 = true }, { 0 }, { .v6 = true } };

	(void)state;
	assert_true(family_other_follows(list, 0, 3));
	assert_true(family_other_follows(list, 1, 3));
	assert_false(family_other_follows(list, 1, 2));
	assert_false(family_other_follows(list, 2, 3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_choices),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_short_attempts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

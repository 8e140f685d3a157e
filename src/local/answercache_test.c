#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "local/answercache.h"

static struct answercache cache;

static int setup(void **state)
{
	(void)state;
	cache = (struct answercache){ .keys = { { 1, 2 }, { 3, 4 } } };
	return 0;
}

static void is(const char *name, int64_t now, enum recipient_answer want)
{
	struct recipient_finding found = { 0 };

	assert_int_equal(answercache_find(&cache, str_of(name), now, &found), want != 0);
	assert_int_equal(found.answer, want);
	assert_int_equal(found.room, want ? 10 * want : 0);
}

static struct recipient_finding finding(enum recipient_answer answer)
{
	return (struct recipient_finding){ answer, 10 * answer };
}

static void answers_last_their_time(void **state)
{
	(void)state;
	answercache_put(&cache, STR("joe"), finding(RECIPIENT_EXISTS), 100);
	answercache_put(&cache, STR("joe-x"), finding(RECIPIENT_MAY_EXIST), 100);
	answercache_put(&cache, STR("ann"), finding(RECIPIENT_ABSENT), 100);
	answercache_put(&cache, STR("bob"), finding(RECIPIENT_UNKNOWN), 100);
	is("joe", 100 + ANSWERCACHE_FOUND_MS - 1, RECIPIENT_EXISTS);
	is("joe-x", 100 + ANSWERCACHE_FOUND_MS - 1, RECIPIENT_MAY_EXIST);
	is("joe", 100 + ANSWERCACHE_FOUND_MS, 0);
	is("ann", 100 + ANSWERCACHE_OTHER_MS - 1, RECIPIENT_ABSENT);
	is("bob", 100 + ANSWERCACHE_OTHER_MS - 1, RECIPIENT_UNKNOWN);
	is("ann", 100 + ANSWERCACHE_OTHER_MS, 0);
	is("bob", 100 + ANSWERCACHE_OTHER_MS, 0);
	is("jo", 100, 0);
	is("", 100, 0);
}

static void case_does_not_matter(void **state)
{
	(void)state;
	answercache_put(&cache, STR("Joe-List"), finding(RECIPIENT_EXISTS), 5);
	is("jOE-lIST", 6, RECIPIENT_EXISTS);
	answercache_put(&cache, STR("joe-list"), finding(RECIPIENT_ABSENT), 7);
	is("JOE-LIST", 8, RECIPIENT_ABSENT);
}

/* However many come, each is either forgotten or answered as it was. */
static void full_table_never_answers_for_another(void **state)
{
	struct recipient_finding found;
	size_t kept = 0;
	char name[32];

	(void)state;
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < 20000; i++) {
			snprintf(name, sizeof name, "user%d", i);
			if (round == 0)
				answercache_put(&cache, str_of(name), finding(i % 4 + 1), 1);
			else if (answercache_find(&cache, str_of(name), 2, &found)) {
				assert_int_equal(found.answer, i % 4 + 1);
				kept++;
			}
		}
	assert_true(kept > ANSWERCACHE_SIZE / 2 && kept <= ANSWERCACHE_SIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(answers_last_their_time, setup),
		cmocka_unit_test_setup(case_does_not_matter, setup),
		cmocka_unit_test_setup(full_table_never_answers_for_another, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

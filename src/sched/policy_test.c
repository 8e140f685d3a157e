#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sched/policy.h"

static struct policy parse(const char *words)
{
	struct policy p = { 0 };
	struct err e;

	if (!policy_add(&p, str_of(words), &e))
		fail_msg("%s: %s", words, e.text);
	return p;
}

static void words_are_understood(void **state)
{
	struct policy p = parse("  concurrency=5\trate=30/m lifetime=2d notice=30m retry=90,5m,1h ");

	(void)state;
	assert_int_equal(p.concurrency, 5);
	assert_int_equal(p.interval_us, 2000000);
	assert_int_equal(p.lifetime, 2 * 86400);
	assert_int_equal(p.notice, 1800);
	assert_int_equal(p.nwaits, 3);
	assert_int_equal(p.waits[0], 90);
	assert_int_equal(p.waits[1], 300);
	assert_int_equal(p.waits[2], 3600);
	assert_int_equal(parse("rate=1000000/s").interval_us, 1);
	assert_true(parse("rate=1/w").interval_us == 604800LL * 1000000);
	assert_int_equal(parse("concurrency=99999999999").concurrency, 10000);
	assert_int_equal(parse("").concurrency, 0);
	assert_int_equal(parse("retry=qmail").nwaits, 0);
	assert_true(parse("retry=qmail").has_retry);
}

static void nonsense_changes_nothing(void **state)
{
	static const char *const bad[] = {
		"x",
		"concurrency",
		"concurrency=",
		"concurrency=0",
		"concurrency=-1",
		"concurrency=5x",
		"rate=5",
		"rate=0/s",
		"rate=5/y",
		"rate=5/",
		"rate=1000001/s",
		"rate=5/ss",
		"lifetime=0",
		"notice=",
		"lifetime=d",
		"lifetime=5y",
		"lifetime=11000000000d",
		"retry=",
		"retry=5m,",
		"retry=5m,,1h",
		"retry=0",
		"retry=5m,qmail",
		"concurrency=1 what=2",
		"lifetime=9999w",
		"retry=1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1",
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct policy p = parse("concurrency=7"), before = p;
		struct err e;

		if (policy_add(&p, str_of(bad[i]), &e))
			fail_msg("accepted: %s", bad[i]);
		assert_memory_equal(&p, &before, sizeof p);
	}
}

/* What says more about the destination is added first, and stays. */
static void the_first_word_counts(void **state)
{
	struct policy p = parse("concurrency=5 retry=qmail concurrency=6");
	struct err e;

	(void)state;
	assert_true(policy_add(&p, STR("concurrency=9 rate=1/s retry=1h"), &e));
	assert_int_equal(p.concurrency, 5);
	assert_int_equal(p.interval_us, 1000000);
	assert_int_equal(p.nwaits, 0);
}

static void waits_follow_one_another(void **state)
{
	struct policy p = parse("retry=1m,5m,1h");
	int64_t now = 1000;
	static const int64_t due[] = { 60, 360, 3960, 7560, 11160 };

	(void)state;
	for (size_t i = 0; i < sizeof due / sizeof *due; i++) {
		now = policy_next_attempt(&p, 1000, now, SCHED_REMOTE);
		assert_int_equal(now - 1000, due[i]);
	}
	assert_true(policy_next_attempt(&p, 1000, 500, SCHED_REMOTE) == 560);
	p = parse("retry=qmail");
	assert_true(policy_next_attempt(&p, 1000, 1000, SCHED_REMOTE) == 1400);
	assert_true(policy_next_attempt(&p, 1000, 1000, SCHED_LOCAL) == 1100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_understood),
		cmocka_unit_test(nonsense_changes_nothing),
		cmocka_unit_test(the_first_word_counts),
		cmocka_unit_test(waits_follow_one_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

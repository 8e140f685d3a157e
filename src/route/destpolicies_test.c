#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "route/destpolicies.h"
#include "sys/home.h"
#include "testing/testplace.h"

static bool load(struct destpolicies *p, const char *text, struct err *e)
{
	testplace_putz("control/destinations", text);
	return destpolicies_load(p, e);
}

static const char settings[] = "# comment\n"
			       "big.test:concurrency=50 rate=10/s\n"
			       ".big.test:concurrency=5 retry=1m,5m\n"
			       ".slow.big.test:rate=1/m\n"
			       ":lifetime=1d concurrency=9\n"
			       "mx/.provider.test:concurrency=3\n"
			       "mx/mx1.provider.test:rate=2/s\n"
			       "mx/:concurrency=7\n"
			       "local/joe:concurrency=1\n"
			       "local/:retry=2m\n";

static void the_line_that_says_most(void **state)
{
	static const struct {
		int channel;
		const char *key;
		uint32_t concurrency, first_wait;
		int64_t interval_us, lifetime;
	} cases[] = {
		{ SCHED_REMOTE, "big.test", 50, 0, 100000, 86400 },
		{ SCHED_REMOTE, "a.big.test", 5, 60, 0, 86400 },
		{ SCHED_REMOTE, "a.slow.big.test", 5, 60, 60000000, 86400 },
		{ SCHED_REMOTE, "slow.big.test", 5, 60, 0, 86400 },
		{ SCHED_REMOTE, "verybig.test", 9, 0, 0, 86400 },
		{ SCHED_REMOTE, "joe", 9, 0, 0, 86400 },
		{ SCHED_REMOTE, "", 9, 0, 0, 86400 },
		{ SCHED_LOCAL, "joe", 1, 120, 0, 0 },
		{ SCHED_LOCAL, "ann", 0, 120, 0, 0 },
		{ SCHED_LOCAL, "big.test", 0, 120, 0, 0 },
	};
	struct destpolicies p;
	struct err e;

	(void)state;
	assert_true(load(&p, settings, &e));
	assert_true(p.providers);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct policy found = { 0 };

		destpolicies_find(&p, cases[i].channel, str_of(cases[i].key), &found);
		assert_int_equal(found.concurrency, cases[i].concurrency);
		assert_int_equal(found.waits[0], cases[i].first_wait);
		assert_int_equal(found.interval_us, cases[i].interval_us);
		assert_int_equal(found.lifetime, cases[i].lifetime);
	}
	destpolicies_free(&p);
}

static void providers_by_their_exchangers(void **state)
{
	static const struct {
		const char *names, *provider;
		uint32_t concurrency;
		int64_t interval_us;
	} cases[] = {
		{ "mx1.provider.test mx2.provider.test", "mx1.provider.test", 3, 500000 },
		{ "a.elsewhere.test MX2.Provider.test", ".provider.test", 3, 0 },
		{ "a.other.test b.other.test", "a.other.test b.other.test", 7, 0 },
		{ "", "", 0, 0 },
	};
	struct destpolicies p;
	struct err e;

	(void)state;
	assert_true(load(&p, settings, &e));
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf provider = BUF_INIT(1000);
		struct policy found = { 0 };

		destpolicies_provider(&p, str_of(cases[i].names), &provider, &found);
		assert_string_equal(buf_cstr(&provider), cases[i].provider);
		assert_int_equal(found.concurrency, cases[i].concurrency);
		assert_int_equal(found.interval_us, cases[i].interval_us);
		buf_free(&provider);
	}
	destpolicies_free(&p);
	assert_true(load(&p, "x.test:concurrency=1\n", &e));
	assert_false(p.providers);
	destpolicies_free(&p);
}

static void bad_lines_are_named(void **state)
{
	static const struct {
		const char *text, *words;
	} cases[] = {
		{ "#\n\nx.test:concurrency=1\ny.test:rate=5\nz.test:what\n",
		  "control/destinations line 4: \"rate=5\" is not understood" },
		{ "x.test concurrency=1\n", "control/destinations line 1: there is no colon" },
		{ "x.test :rate=1/s\n", "control/destinations line 1: there is a blank before the colon" },
		{ "mx/:lifetime=1d\n",
		  "control/destinations line 1: only concurrency and rate can be set for exchangers" },
		{ "exchanger/x:rate=1/s\n", "control/destinations line 1: \"exchanger/x\" is no destination" },
	};
	struct destpolicies p;
	struct policy found = { 0 };
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_false(load(&p, cases[i].text, &e));
		assert_string_equal(e.text, cases[i].words);
		/* The good ones count. */
		destpolicies_find(&p, SCHED_REMOTE, STR("x.test"), &found);
		destpolicies_find(&p, SCHED_REMOTE, STR("y.test"), &found);
		destpolicies_free(&p);
	}
	assert_int_equal(found.concurrency, 1);
	assert_int_equal(found.interval_us, 0);
	unlink("control/destinations");
	assert_true(destpolicies_load(&p, &e));
	destpolicies_find(&p, SCHED_REMOTE, STR("x.test"), &found);
	destpolicies_free(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_line_that_says_most),
		cmocka_unit_test(providers_by_their_exchangers),
		cmocka_unit_test(bad_lines_are_named),
	};

	return cmocka_run_group_tests(tests, testplace_begin_home, testplace_end);
}

#include "sched/sched_fixture.h"

/* 1,000 messages for one destination and one for another: the other is second, not last. */
static void destinations_take_turns(void **state)
{
	struct sched *s = make(1, 10);
	struct job *j[10];

	(void)state;
	for (uint64_t i = 1; i <= 1000; i++)
		add(s, i, 1, "slow.test");
	add(s, 2000, 1, "quick.test");
	for (int i = 0; i < 6; i++) {
		j[i] = sched_next(s, 1);
		assert_non_null(j[i]);
		assert_int_equal(j[i]->msg->id, i == 1 ? 2000 : i == 0 ? 1 : i);
	}
	/* That is all for a destination of which nothing is known; the rest is not for it. */
	assert_null(sched_next(s, 1));
	add(s, 2001, 1, "other.test");
	j[6] = sched_next(s, 1);
	assert_non_null(j[6]);
	assert_int_equal(j[6]->msg->id, 2001);
	for (int i = 0; i < 7; i++)
		sched_finish(s, j[i], NULL, 0, 1);
	sched_free(s, free);
}

/* The delivery agent is gone for a while. */
static void a_channel_that_is_stopped(void **state)
{
	struct sched *s = make(10, 10);

	(void)state;
	sched_set_limit(s, SCHED_REMOTE, 0);
	add(s, 1, 1, "x.test");
	assert_null(sched_next(s, 1));
	sched_set_limit(s, SCHED_REMOTE, 10);
	assert_non_null(sched_next(s, 1));
	sched_free(s, free);
}

/* Who is held back keeps his turn, and other channels do not notice. */
static void a_channel_that_is_held_back(void **state)
{
	struct sched *s = make(10, 10);
	struct job *j[5];
	char name[2] = "a";

	(void)state;
	for (uint64_t i = 1; i <= 5; i++, name[0]++)
		sched_add_job(s, sched_add(s, i, 1), SCHED_LOCAL, str_of(name), &zero, 1);
	add(s, 9, 1, "x.test");
	sched_hold_back(s, SCHED_LOCAL, 2);
	for (int i = 0; i < 3; i++)
		j[i] = sched_next(s, 1);
	assert_int_equal(j[0]->msg->id, 1);
	assert_int_equal(j[1]->msg->id, 2);
	assert_int_equal(j[2]->msg->id, 9);
	assert_null(sched_next(s, 1));
	sched_finish(s, j[0], NULL, 0, 1);
	j[3] = sched_next(s, 1);
	assert_int_equal(j[3]->msg->id, 3);
	assert_null(sched_next(s, 1));
	sched_hold_back(s, SCHED_LOCAL, UINT32_MAX);
	assert_int_equal(sched_next(s, 1)->msg->id, 4);
	assert_int_equal(sched_next(s, 1)->msg->id, 5);
	sched_free(s, free);
}

/* With success one more each, but a fifth of all slots stays for others; halved when the destination is busy. */
static void window_follows_the_outcomes(void **state)
{
	struct sched *s = make(1, 20);
	struct job *j[20];
	int n;

	(void)state;
	for (uint64_t i = 1; i <= 1000; i++)
		add(s, i, 1, "x.test");
	for (int i = 0; i < 100; i++)
		attempt(s, 1, SCHED_WORKED);
	for (n = 0; (j[n] = sched_next(s, 1)) != NULL;)
		n++;
	assert_int_equal(n, 16);
	/* All that ran together count once. */
	for (int i = 0; i < n; i++) {
		sched_outcome(s, j[i], SCHED_BUSY, STR(""));
		sched_finish(s, j[i], &zero, 1, 1);
	}
	for (n = 0; (j[n] = sched_next(s, 1)) != NULL;)
		n++;
	assert_int_equal(n, 8);
	sched_outcome(s, j[0], SCHED_ANSWERED, STR(""));
	sched_finish(s, j[0], &zero, 1, 1);
	for (int i = 1; i < n; i++) {
		sched_outcome(s, j[i], SCHED_WORKED, STR(""));
		sched_finish(s, j[i], &zero, 1, 1);
	}
	for (n = 0; (j[n] = sched_next(s, 1)) != NULL;)
		n++;
	assert_int_equal(n, 15);
	sched_free(s, free);
}

/* Dozens of destinations that accept connections and say nothing: they cannot take all slots. */
static void who_answers_has_slots(void **state)
{
	struct sched *s = make(1, 20);
	char key[20];
	int silent = 0;

	(void)state;
	add(s, 1, 1000, "live.test");
	attempt(s, 1000, SCHED_WORKED);
	for (uint64_t i = 0; i < 100; i++) {
		snprintf(key, sizeof key, "silent%d.test", (int)i);
		add(s, 100 + i, 1000, key);
	}
	while (sched_next(s, 1000))
		silent++;
	assert_int_equal(silent, 16);
	for (uint64_t i = 0; i < 100; i++) {
		add(s, 1000 + i, 1000, "live.test");
		assert_int_equal(attempt(s, 1000, SCHED_WORKED)->msg != NULL, 1);
	}
	sched_free(s, free);
}

/* Turns are taken one by one by those that answer and those of which nothing is known. */
static void the_unknown_have_every_second_turn(void **state)
{
	struct sched *s = make(1, 20);
	int known = 0;

	(void)state;
	add(s, 1, 1000, "live.test");
	attempt(s, 1000, SCHED_WORKED);
	for (uint64_t i = 0; i < 20; i++) {
		char key[20];

		snprintf(key, sizeof key, "new%d.test", (int)i);
		add(s, 100 + i, 1000, key);
		add(s, 200 + i, 1000, "live.test");
	}
	for (int i = 0; i < 12; i++)
		known += sched_next(s, 1000)->msg->id >= 200;
	assert_int_equal(known, 6);
	sched_free(s, free);
}

/* A destination that gets more and more mail does not lose its turn to the others by that. */
static void more_mail_is_no_later_turn(void **state)
{
	struct sched *s = make(1, 1);
	struct job *j;

	(void)state;
	add(s, 1, 1000, "a.test");
	add(s, 2, 1000, "b.test");
	add(s, 3, 1000, "a.test");
	j = sched_next(s, 1000);
	assert_int_equal(j->msg->id, 1);
	add(s, 4, 1000, "b.test");
	sched_finish(s, j, NULL, 0, 1000);
	assert_int_equal(sched_next(s, 1000)->msg->id, 2);
	sched_free(s, free);
}

/* ---- policies -------------------------------------------------------------------- */

static bool with_providers;

static bool test_policy(void *ctx, int channel, struct str key, struct policy *p)
{
	struct err e;

	(void)channel;
	if (str_starts(key, STR("one.")))
		assert_true(policy_add(p, STR("concurrency=1"), &e));
	if (str_starts(key, STR("slow.")))
		assert_true(policy_add(p, STR("rate=1/m"), &e));
	if (str_starts(key, STR("fast.")))
		assert_true(policy_add(p, STR("rate=10/s"), &e));
	if (str_starts(key, STR("own.")))
		assert_true(policy_add(p, STR("retry=1m,5m lifetime=10m"), &e));
	return *(bool *)ctx && str_starts(key, STR("hosted"));
}

static struct sched *make_with_policies(bool providers)
{
	struct sched_options o = { .concurrency = { 10, 20 }, .lifetime = 604800, .key = { 1, 2 } };

	with_providers = providers;
	o.policy = test_policy;
	o.ctx = &with_providers;
	return sched_new(&o);
}

static void concurrency_of_a_destination(void **state)
{
	struct sched *s = make_with_policies(false);
	struct job *j;

	(void)state;
	for (uint64_t i = 1; i <= 3; i++)
		add(s, i, 1, "one.test");
	j = sched_next(s, 1);
	assert_non_null(j);
	assert_null(sched_next(s, 1));
	sched_finish(s, j, NULL, 0, 1);
	assert_non_null(sched_next(s, 1));
	assert_null(sched_next(s, 1));
	sched_free(s, free);
}

static void rate_of_a_destination(void **state)
{
	struct sched *s = make_with_policies(false);
	int started = 0;

	(void)state;
	for (uint64_t i = 1; i <= 100; i++)
		add(s, i, 1000, i % 2 ? "slow.test" : "fast.test");
	for (int64_t now = 1000; now < 1300; now++) {
		int before = started;

		while (attempt(s, now, SCHED_WORKED))
			started++;
		assert_int_equal(started - before, (now < 1005 ? 10 : 0) + (now % 60 == 1000 % 60));
	}
	assert_int_equal(started, 55);
	/* It is remembered when the last message is gone. */
	s = (sched_free(s, free), make_with_policies(false));
	add(s, 1, 1000, "slow.test");
	assert_non_null(attempt(s, 1000, SCHED_WORKED));
	add(s, 2, 1000, "slow.test");
	assert_null(sched_next(s, 1059));
	assert_true(sched_wake(s) == 1060);
	assert_non_null(attempt(s, 1060, SCHED_WORKED));
	sched_free(s, free);
}

static void schedule_of_a_destination(void **state)
{
	struct sched *s = make_with_policies(false);

	(void)state;
	add(s, 1, 1000, "own.test");
	attempt(s, 1000, SCHED_ANSWERED);
	assert_true(sched_wake(s) == 1060);
	attempt(s, 1060, SCHED_ANSWERED);
	assert_true(sched_wake(s) == 1360);
	assert_false(attempt(s, 1360, SCHED_ANSWERED)->dying);
	assert_true(attempt(s, 1660, SCHED_ANSWERED)->dying);
	sched_free(s, free);
}

/* A thousand domains at one provider count as one. */
static void domains_of_one_provider(void **state)
{
	struct sched *s = make_with_policies(true);
	struct policy p = { .concurrency = 3 };
	struct job *j[4];
	char key[20];
	int done = 0;

	(void)state;
	for (uint64_t i = 1; i <= 1000; i++) {
		snprintf(key, sizeof key, "hosted%d.test", (int)i);
		add(s, i, 1, key);
	}
	/* Nothing before it is known. */
	assert_null(sched_next(s, 1));
	for (uint64_t i = 1; i <= 1000; i++) {
		snprintf(key, sizeof key, "hosted%d.test", (int)i);
		sched_provider(s, str_of(key), STR("big"), &p);
	}
	add(s, 2000, 1, "elsewhere.test");
	for (int i = 0; i < 4; i++)
		assert_non_null(j[i] = sched_next(s, 1));
	assert_null(sched_next(s, 1));
	for (int i = 0; i < 4; i++)
		sched_finish(s, j[i], NULL, 0, 1);
	p.interval_us = 60 * 1000000;
	sched_provider(s, STR("hosted1.test"), STR("big"), &p);
	for (int64_t now = 1; now < 1 + 600; now++)
		while (attempt(s, now, SCHED_WORKED))
			done++;
	assert_int_equal(done, 10);
	/* Those without a provider are on their own. */
	add(s, 3000, 1, "hosted-alone.test");
	assert_null(sched_next(s, 600));
	sched_no_providers(s);
	assert_int_equal(sched_next(s, 600)->msg->id, 3000);
	/* And so are all when there are none any more. */
	assert_null(sched_next(s, 600));
	with_providers = false;
	sched_new_policies(s);
	assert_non_null(attempt(s, 600, SCHED_WORKED));
	assert_non_null(attempt(s, 600, SCHED_WORKED));
	sched_free(s, free);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(destinations_take_turns),    cmocka_unit_test(window_follows_the_outcomes),
		cmocka_unit_test(a_channel_that_is_stopped),  cmocka_unit_test(a_channel_that_is_held_back),
		cmocka_unit_test(who_answers_has_slots),      cmocka_unit_test(the_unknown_have_every_second_turn),
		cmocka_unit_test(more_mail_is_no_later_turn), cmocka_unit_test(concurrency_of_a_destination),
		cmocka_unit_test(rate_of_a_destination),      cmocka_unit_test(schedule_of_a_destination),
		cmocka_unit_test(domains_of_one_provider),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

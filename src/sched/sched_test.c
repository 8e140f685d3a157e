#include "sched/sched_fixture.h"

/* Contract §8.3: 0, 100, 400, 900, 1600 and 0, 400, 1600, 3600, 6400. */
static void attempts_follow_the_quadratic_schedule(void **state)
{
	static const int64_t local[] = { 100, 400, 900, 1600 }, remote[] = { 400, 1600, 3600, 6400 };
	int64_t l = 1000, r = 1000;

	(void)state;
	for (int i = 0; i < 4; i++) {
		l = sched_next_attempt(1000, l, SCHED_LOCAL);
		r = sched_next_attempt(1000, r, SCHED_REMOTE);
		assert_int_equal(l - 1000, local[i]);
		assert_int_equal(r - 1000, remote[i]);
	}
	/* A clock that was set back never makes an attempt due before the message was born. */
	assert_true(sched_next_attempt(1000, 10, SCHED_LOCAL) == 1100);
}

static void time_counts_from_the_beginning_of_an_attempt(void **state)
{
	struct sched *s = make(5, 5);
	struct msg *m = sched_add(s, 1, 1000);
	struct job *j;

	(void)state;
	sched_add_job(s, m, SCHED_REMOTE, STR("x.test"), &zero, 1);
	j = sched_next(s, 1000);
	assert_int_equal(sched_finish(s, j, &zero, 1, 1060), 1400);
	/* One that lasted until then has none the moment it ends. */
	j = sched_next(s, 1400);
	assert_int_equal(sched_finish(s, j, &zero, 1, 3500), 1000 + 70 * 70);
	sched_free(s, NULL);
}

static void a_message_is_retried_until_it_is_done(void **state)
{
	struct sched *s = make(1, 1);
	struct msg *m = sched_add(s, 7, 1000);
	struct job *j;

	(void)state;
	sched_add_job(s, m, SCHED_REMOTE, STR("x.test"), &zero, 1);
	j = sched_next(s, 1000);
	assert_non_null(j);
	assert_ptr_equal(j->msg, m);
	assert_int_equal(sched_running(s, SCHED_REMOTE), 1);
	assert_null(sched_next(s, 1000));
	assert_int_equal(sched_finish(s, j, &zero, 1, 1000), 1400);
	assert_int_equal(sched_wake(s), 1400);
	assert_int_equal(sched_message_due(m), 1400);
	assert_null(sched_next(s, 1399));
	j = sched_next(s, 1400);
	assert_non_null(j);
	assert_false(j->dying);
	sched_finish(s, j, NULL, 0, 1400);
	assert_int_equal(m->njobs, 0);
	sched_remove(s, m);
	assert_int_equal(sched_messages(s), 0);
	assert_null(sched_find(s, 7));
	sched_free(s, free);
}

static void an_old_message_dies_at_its_last_attempt(void **state)
{
	struct sched *s = make(1, 1);
	struct msg *m = sched_add(s, 7, 1000);
	struct job *j;

	(void)state;
	sched_add_unrouted(s, m, 0);
	j = sched_next(s, 1000 + 604801);
	assert_non_null(j);
	assert_null(j->dest);
	sched_loaded(s, j);
	sched_add_job(s, m, SCHED_LOCAL, STR("joe"), &zero, 1);
	j = sched_next(s, 1000 + 604801);
	assert_true(j->dying);
	sched_finish(s, j, NULL, 0, 0);
	sched_free(s, free);
}

static void run_all_makes_everything_due(void **state)
{
	struct sched *s = make(5, 5);

	(void)state;
	for (uint64_t i = 1; i <= 100; i++)
		sched_add_unrouted(s, sched_add(s, i, 1), (int64_t)(10000 + i * 7919 % 1000));
	assert_null(sched_next(s, 1));
	sched_run_all(s, 1);
	for (int i = 0; i < 100; i++) {
		struct job *j = sched_next(s, 1);

		assert_non_null(j);
		sched_put_back(s, j, 50000);
	}
	assert_null(sched_next(s, 1));
	sched_remove(s, sched_find(s, 50));
	assert_int_equal(sched_messages(s), 99);
	sched_free(s, free);
}

static bool random_policy(void *ctx, int channel, struct str key, struct policy *p)
{
	(void)ctx;
	if (channel == SCHED_REMOTE && *key.p % 3 == 0)
		p->concurrency = 1 + (uint32_t)*key.p % 2;
	if (*key.p % 5 == 0)
		p->interval_us = *key.p * 100000;
	return channel == SCHED_REMOTE && *key.p % 2;
}

/* Random additions, finishes and removals against counters kept apart; in the end everything can be delivered. */
static void random_operations_keep_the_books(void **state)
{
	struct sched_options o = {
		.concurrency = { 3, 7 }, .lifetime = 604800, .key = { 1, 2 }, .policy = random_policy
	};
	struct sched *s = sched_new(&o);
	struct job *running[10];
	size_t nrunning = 0, alive = 0;
	uint64_t next = 1;
	int64_t now = 1000;

	(void)state;
	srand(4711);
	for (int step = 0; step < 100000; step++) {
		int what = rand() % 4;
		char key[8] = { (char)('a' + rand() % 20) };

		now += rand() % 20;
		if (what == 0 && alive < 500) {
			sched_add_job(s, sched_add(s, next++, now), rand() % 2, str_of(key), &zero, 1);
			alive++;
		} else if (what == 1 && nrunning < 10) {
			struct job *j = sched_next(s, now);

			if (j)
				running[nrunning++] = j;
		} else if (what == 2) {
			struct policy p = { .concurrency = 2, .interval_us = key[0] % 7 ? 0 : 3000000 };
			char name[2] = { (char)('0' + rand() % 4) };

			sched_provider(s, str_of(key), rand() % 8 ? str_of(name) : STR(""), &p);
			if (rand() % 1000 == 0)
				sched_new_policies(s);
			if (rand() % 1000 == 0)
				sched_run_all(s, now);
		} else if (nrunning) {
			struct job *j = running[--nrunning];
			struct msg *m = j->msg;

			if (!j->verdict)
				sched_outcome(s, j, (enum sched_outcome)(rand() / 16 % 4), STR("words"));
			if (rand() % 2) {
				sched_finish(s, j, &zero, 1, now);
			} else {
				sched_finish(s, j, NULL, 0, now);
				sched_remove(s, m);
				alive--;
			}
		}
		assert_int_equal(sched_messages(s), alive);
		assert_int_equal(sched_running(s, 0) + sched_running(s, 1), nrunning);
		assert_true(sched_running(s, 0) <= 3 && sched_running(s, 1) <= 7);
	}
	while (nrunning)
		sched_finish(s, running[--nrunning], &zero, 1, now);
	sched_no_providers(s);
	for (int turns = 0; sched_messages(s) && turns < 100000; turns++)
		if (attempt(s, now, SCHED_WORKED) == NULL)
			now = sched_wake(s);
	assert_int_equal(sched_messages(s), 0);
	sched_free(s, free);
}

static void what_is_held_waits_for_its_release(void **state)
{
	struct sched *s = make(5, 5);
	struct msg *m = sched_add(s, 1, 1000), *other = sched_add(s, 2, 1000);
	struct job *j;

	(void)state;
	sched_add_job(s, m, SCHED_REMOTE, STR("x.test"), &zero, 1);
	sched_hold(s, m);
	assert_null(sched_next(s, 1000));
	/* Also what is added later, what ends meanwhile, and whatever the signal says. */
	sched_add_job(s, m, SCHED_LOCAL, STR("joe"), &zero, 1);
	sched_add_unrouted(s, other, 5000);
	sched_run_all(s, 2000);
	j = sched_next(s, 2000);
	assert_ptr_equal(j->msg, other);
	sched_loaded(s, j);
	assert_null(sched_next(s, 1000000));
	sched_retry(s, m, 3000);
	assert_null(sched_next(s, 1000000));
	assert_int_equal(sched_message_due(m), INT64_MAX);
	sched_release(s, m, 3000);
	assert_null(sched_next(s, 2999));
	j = sched_next(s, 3000);
	assert_ptr_equal(j->msg, m);
	/* Held while it runs: it is not tried again. */
	sched_hold(s, m);
	sched_finish(s, j, &zero, 1, 3000);
	assert_null(sched_next(s, 1000000));
	sched_free(s, NULL);
}

static void what_runs_is_tried_again_at_once_if_wanted(void **state)
{
	struct sched *s = make(5, 5);
	struct msg *m = sched_add(s, 1, 1000);
	struct job *j;

	(void)state;
	sched_add_job(s, m, SCHED_REMOTE, STR("x.test"), &zero, 1);
	j = sched_next(s, 1000);
	sched_retry(s, m, 1001);
	assert_null(sched_next(s, 1001));
	sched_outcome(s, j, SCHED_UNREACHABLE, STR(""));
	assert_int_equal(sched_finish(s, j, &zero, 1, 1002), 1002);
	j = sched_next(s, 1002);
	assert_true(j && j->afresh);
	/* Once. */
	assert_true(sched_finish(s, j, &zero, 1, 1003) > 1003);
	/* Not if it is to be held after all. */
	sched_retry(s, m, 1004);
	j = sched_next(s, 1004);
	sched_retry(s, m, 1005);
	sched_hold(s, m);
	sched_finish(s, j, &zero, 1, 1006);
	assert_null(sched_next(s, 1000000));
	sched_free(s, NULL);
}

static void jobs_can_be_dropped_unless_one_runs(void **state)
{
	struct sched *s = make(5, 5);
	struct msg *m = sched_add(s, 1, 1000);
	struct job *j;

	(void)state;
	sched_add_job(s, m, SCHED_REMOTE, STR("x.test"), &zero, 1);
	j = sched_next(s, 1000);
	sched_add_job(s, m, SCHED_REMOTE, STR("y.test"), &zero, 1);
	sched_add_unrouted(s, m, 2000);
	assert_false(sched_drop_jobs(s, m));
	assert_int_equal(m->njobs, 1);
	assert_int_equal(sched_finish(s, j, &zero, 1, 1000), 1400);
	sched_retry(s, m, 1100);
	assert_int_equal(sched_message_due(m), 1100);
	assert_true(sched_drop_jobs(s, m));
	assert_null(sched_next(s, 9999));
	assert_true(sched_wake(s) > 9999);
	sched_remove(s, m);
	sched_free(s, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(attempts_follow_the_quadratic_schedule),
		cmocka_unit_test(time_counts_from_the_beginning_of_an_attempt),
		cmocka_unit_test(a_message_is_retried_until_it_is_done),
		cmocka_unit_test(an_old_message_dies_at_its_last_attempt),
		cmocka_unit_test(run_all_makes_everything_due),
		cmocka_unit_test(what_is_held_waits_for_its_release),
		cmocka_unit_test(what_runs_is_tried_again_at_once_if_wanted),
		cmocka_unit_test(jobs_can_be_dropped_unless_one_runs),
		cmocka_unit_test(random_operations_keep_the_books),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

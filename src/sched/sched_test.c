#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "sched/sched.h"

static const uint32_t zero;

static struct sched *make(uint32_t local, uint32_t remote)
{
	struct sched_options o = { .concurrency = { local, remote }, .lifetime = 604800, .key = { 1, 2 } };

	return sched_new(&o);
}

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

/* 1,000 messages for one destination and one for another: the other is second, not last. */
static void destinations_take_turns(void **state)
{
	struct sched *s = make(1, 10);
	struct job *j[10];
	int quick = -1;

	(void)state;
	for (uint64_t i = 1; i <= 1000; i++)
		sched_add_job(s, sched_add(s, i, 1), SCHED_REMOTE, STR("slow.test"), &zero, 1);
	sched_add_job(s, sched_add(s, 2000, 1), SCHED_REMOTE, STR("quick.test"), &zero, 1);
	for (int i = 0; i < 9; i++) {
		j[i] = sched_next(s, 1);
		assert_non_null(j[i]);
		if (j[i]->msg->id == 2000)
			quick = i;
	}
	assert_int_equal(quick, 1);
	/* Eight of ten slots are taken by the slow one; the rest is not for it. */
	assert_null(sched_next(s, 1));
	sched_add_job(s, sched_add(s, 2001, 1), SCHED_REMOTE, STR("other.test"), &zero, 1);
	j[9] = sched_next(s, 1);
	assert_non_null(j[9]);
	assert_int_equal(j[9]->msg->id, 2001);
	for (int i = 0; i < 10; i++)
		sched_finish(s, j[i], NULL, 0, 1);
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

/* Random additions, finishes and removals against counters kept apart. */
static void random_operations_keep_the_books(void **state)
{
	struct sched *s = make(3, 7);
	struct job *running[10];
	size_t nrunning = 0, alive = 0;
	uint64_t next = 1;
	int64_t now = 1000;

	(void)state;
	srand(4711);
	for (int step = 0; step < 20000; step++) {
		int what = rand() % 3;

		now += rand() % 50;
		if (what == 0 && alive < 500) {
			char key[8] = { (char)('a' + rand() % 20) };

			sched_add_job(s, sched_add(s, next++, now), rand() % 2, str_of(key), &zero, 1);
			alive++;
		} else if (what == 1 && nrunning < 10) {
			struct job *j = sched_next(s, now);

			if (j)
				running[nrunning++] = j;
		} else if (nrunning) {
			struct job *j = running[--nrunning];
			struct msg *m = j->msg;

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
		sched_finish(s, running[--nrunning], NULL, 0, now);
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
	assert_int_equal(sched_wake(s), 1100);
	assert_true(sched_drop_jobs(s, m));
	assert_null(sched_next(s, 9999));
	assert_int_equal(sched_wake(s), INT64_MAX);
	sched_remove(s, m);
	sched_free(s, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(attempts_follow_the_quadratic_schedule),
		cmocka_unit_test(a_message_is_retried_until_it_is_done),
		cmocka_unit_test(an_old_message_dies_at_its_last_attempt),
		cmocka_unit_test(destinations_take_turns),
		cmocka_unit_test(run_all_makes_everything_due),
		cmocka_unit_test(what_is_held_waits_for_its_release),
		cmocka_unit_test(jobs_can_be_dropped_unless_one_runs),
		cmocka_unit_test(random_operations_keep_the_books),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

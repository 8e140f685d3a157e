#include "sched/sched_fixture.h"

/* ---- a destination that is down ------------------------------------------------- */

static struct sched *with_dead(uint64_t messages, int64_t birth)
{
	struct sched *s = make(10, 20);

	for (uint64_t i = 1; i <= messages; i++)
		add(s, i, birth, "dead.test");
	for (int i = 0; i < SCHED_DOWN_AFTER; i++)
		assert_false(attempt(s, birth, SCHED_UNREACHABLE)->verdict);
	return s;
}

/* 200 messages: first attempts get the verdict, later ones up to the limit, the others go without a word. */
static void one_attempt_decides_for_all(void **state)
{
	struct sched *s = with_dead(200, 1000);
	int real = 0, verdicts = 0;
	const struct job *was;
	struct job *j;

	(void)state;
	while ((was = attempt(s, 1000, SCHED_UNREACHABLE)) != NULL) {
		assert_true(was->msg->id > SCHED_DOWN_AFTER);
		verdicts++;
	}
	assert_int_equal(verdicts, 200 - SCHED_DOWN_AFTER);
	/* All are due at 1400: one is tried, and its end is waited for. */
	assert_null(sched_next(s, 1399));
	j = sched_next(s, 1400);
	assert_non_null(j);
	assert_false(j->verdict);
	assert_null(sched_next(s, 1400));
	sched_outcome(s, j, SCHED_UNREACHABLE, STR("still nobody\n"));
	sched_finish(s, j, &zero, 1, 1400);
	verdicts = 0;
	while ((j = sched_next(s, 1400)) != NULL) {
		assert_true(j->verdict);
		assert_true(str_eq(sched_words(j), STR("still nobody\n")));
		verdicts += !j->quiet;
		assert_int_equal(j->quiet ? sched_put_off(s, j) : sched_finish(s, j, &zero, 1, 1400), 2600);
	}
	assert_int_equal(verdicts, SCHED_VERDICTS);
	assert_true(sched_wake(s) == 2600);
	/* Eleven hours at a second a step: tried at most as often as the growing interval allows. */
	for (int64_t now = 1401; now < 1000 + 40000; now++)
		while ((was = attempt(s, now, SCHED_UNREACHABLE)) != NULL)
			real += !was->verdict;
	assert_in_range(real, 5, 20);
	assert_int_equal(sched_messages(s), 200);
	sched_free(s, free);
}

static void probes_have_growing_intervals(void **state)
{
	struct sched *s = with_dead(SCHED_DOWN_AFTER, 1000);
	int64_t last = 1000, gap = 1;

	(void)state;
	/* A new message every second: each would be tried at once. */
	for (int64_t now = 1001; now < 4000; now++) {
		const struct job *j;

		add(s, (uint64_t)now, now, "dead.test");
		while ((j = attempt(s, now, SCHED_UNREACHABLE)) != NULL) {
			if (j->verdict)
				continue;
			assert_int_equal(now - last, gap);
			last = now;
			gap = 2 * gap < SCHED_PROBE_SECONDS ? 2 * gap : SCHED_PROBE_SECONDS;
		}
	}
	assert_int_equal(gap, SCHED_PROBE_SECONDS);
	sched_free(s, free);
}

static void all_go_out_when_it_answers_again(void **state)
{
	struct sched *s = with_dead(1000, 1000);
	struct job *j[8];
	uint64_t last = 0;
	int n = 0;

	(void)state;
	while (attempt(s, 1000, SCHED_UNREACHABLE))
		;
	/* One more was put off by the server itself: it waits for its own time. */
	j[0] = sched_next(s, 1400);
	assert_non_null(j[0]);
	sched_outcome(s, j[0], SCHED_BUSY, STR(""));
	assert_int_equal(sched_finish(s, j[0], &zero, 1, 1400), 2600);
	for (n = 0; (j[n] = sched_next(s, 1400)) != NULL; n++) {
		assert_false(j[n]->verdict);
		assert_true(j[n]->msg->id > last);
		last = j[n]->msg->id;
	}
	assert_int_equal(n, SCHED_FIRST_WINDOW);
	while (n--) {
		struct msg *m = j[n]->msg;

		sched_outcome(s, j[n], SCHED_WORKED, STR(""));
		sched_finish(s, j[n], NULL, 0, 1400);
		sched_remove(s, m);
	}
	for (n = 0; attempt(s, 1400, SCHED_WORKED); n++)
		;
	assert_int_equal(sched_messages(s), 1);
	assert_true(sched_wake(s) == 2600);
	sched_free(s, free);
}

/* What ran when it went down does not count as further probes, but its success does. */
static void late_results(void **state)
{
	struct sched *s = make(1, 20);
	struct job *late[2];

	(void)state;
	for (uint64_t i = 1; i <= 100; i++)
		add(s, i, 1000, "x.test");
	for (int i = 0; i < 20; i++)
		attempt(s, 1000, SCHED_WORKED);
	late[0] = sched_next(s, 1000);
	late[1] = sched_next(s, 1000);
	for (int i = 0; i < SCHED_DOWN_AFTER; i++)
		attempt(s, 1000, SCHED_UNREACHABLE);
	assert_true(attempt(s, 1000, SCHED_UNREACHABLE)->verdict);
	sched_outcome(s, late[0], SCHED_UNREACHABLE, STR(""));
	sched_finish(s, late[0], &zero, 1, 1000);
	/* The first probe is still due after a second. */
	assert_false(attempt(s, 1001, SCHED_UNREACHABLE)->verdict);
	assert_true(attempt(s, 1001, SCHED_UNREACHABLE)->verdict);
	sched_outcome(s, late[1], SCHED_WORKED, STR(""));
	sched_finish(s, late[1], NULL, 0, 1001);
	assert_false(attempt(s, 1001, SCHED_WORKED)->verdict);
	sched_free(s, free);
}

/* A probe that was never made (its message could not be read, the agent died) is no probe. */
static void a_probe_that_is_put_back(void **state)
{
	struct sched *s = with_dead(20, 1000);
	struct job *j = sched_next(s, 1001);

	(void)state;
	assert_false(j->verdict);
	assert_null(sched_next(s, 1001));
	sched_put_back(s, j, 1010);
	assert_false(attempt(s, 1001, SCHED_WORKED)->verdict);
	sched_free(s, free);
}

/* However dead the destination: a message dies at its first own time after its lifetime. */
static void a_message_dies_in_time(void **state)
{
	struct sched *s = with_dead(300, 1000);
	int64_t now = 1000;
	int dead = 0;

	(void)state;
	while (sched_messages(s)) {
		struct job *j = sched_next(s, now);

		if (j == NULL) {
			int64_t wake = sched_wake(s);

			assert_true(wake > now);
			now = wake;
			continue;
		}
		if (j->quiet) {
			sched_put_off(s, j);
			continue;
		}
		if (!j->verdict)
			sched_outcome(s, j, SCHED_UNREACHABLE, STR("nobody\n"));
		if (j->dying) {
			struct msg *m = j->msg;

			sched_finish(s, j, NULL, 0, now);
			sched_remove(s, m);
			dead++;
		} else {
			sched_finish(s, j, &zero, 1, now);
		}
	}
	assert_int_equal(dead, 300);
	/* As with qmail: 0, 400, 1600 ... (20 n)², the first of them after the lifetime. */
	assert_int_equal(now - 1000, 39 * 39 * 400);
	sched_free(s, free);
}

static void run_all_probes_at_once(void **state)
{
	struct sched *s = with_dead(1000, 1000);
	int verdicts = 0;
	const struct job *j;

	(void)state;
	while (attempt(s, 1000, SCHED_UNREACHABLE))
		;
	attempt(s, 1400, SCHED_UNREACHABLE);
	while (attempt(s, 1400, SCHED_UNREACHABLE))
		;
	sched_run_all(s, 1401);
	assert_false(attempt(s, 1401, SCHED_UNREACHABLE)->verdict);
	while ((j = attempt(s, 1401, SCHED_UNREACHABLE)) != NULL)
		verdicts += j->verdict && !j->quiet;
	assert_int_equal(verdicts, SCHED_VERDICTS);
	sched_run_all(s, 1402);
	assert_false(attempt(s, 1402, SCHED_WORKED)->verdict);
	while (attempt(s, 1402, SCHED_WORKED))
		;
	assert_int_equal(sched_messages(s), 0);
	sched_free(s, free);
}

/* 20,000 messages for a destination that is down: others have their turn, and all slots but one. */
static void the_dead_do_not_hold_up_the_living(void **state)
{
	struct sched *s = with_dead(20000, 1000);
	struct job *probe;

	(void)state;
	while (attempt(s, 1000, SCHED_UNREACHABLE))
		;
	probe = sched_next(s, 1400);
	assert_non_null(probe);
	for (uint64_t i = 0; i < 1000; i++) {
		add(s, 100000 + i, 1400, "live.test");
		assert_int_equal(attempt(s, 1400, SCHED_WORKED) != NULL, 1);
	}
	assert_int_equal(sched_messages(s), 20000);
	assert_int_equal(sched_running(s, SCHED_REMOTE), 1);
	sched_free(s, free);
}

/* What is remembered of servers does not answer an operator, and not the question whether a destination is still down.
 */
static void attempts_that_count_are_made_afresh(void **state)
{
	struct sched *s = make(5, 5);
	struct msg *m = sched_add(s, 1, 1000);
	struct job *j;

	(void)state;
	sched_add_job(s, m, SCHED_REMOTE, STR("x.test"), &zero, 1);
	assert_false(attempt(s, 1000, SCHED_UNREACHABLE)->afresh);
	sched_retry(s, m, 1001);
	assert_true(attempt(s, 1001, SCHED_UNREACHABLE)->afresh);
	assert_false(attempt(s, 1441, SCHED_UNREACHABLE)->afresh);
	sched_hold(s, m);
	sched_release(s, m, 1442);
	assert_true(attempt(s, 1442, SCHED_UNREACHABLE)->afresh);
	/* By the signal: one of each destination that did not answer. */
	add(s, 2, 1443, "x.test");
	sched_run_all(s, 1443);
	assert_true(attempt(s, 1443, SCHED_ANSWERED)->afresh);
	assert_false(attempt(s, 1443, SCHED_ANSWERED)->afresh);
	sched_run_all(s, 1444);
	assert_false(attempt(s, 1444, SCHED_ANSWERED)->afresh);
	assert_false(attempt(s, 1444, SCHED_ANSWERED)->afresh);
	/* And of those whose envelope is not there. */
	assert_true(sched_drop_jobs(s, m));
	sched_add_unrouted(s, m, 9000);
	sched_retry(s, m, 1445);
	j = sched_next(s, 1445);
	assert_ptr_equal(j->msg, m);
	sched_loaded(s, j);
	sched_add_job(s, m, SCHED_REMOTE, STR("y.test"), &zero, 1);
	assert_true(attempt(s, 1445, SCHED_ANSWERED)->afresh);
	sched_free(s, NULL);
}

static void probes_are_made_afresh(void **state)
{
	struct sched *s = with_dead(20, 1000);
	struct msg *late = sched_find(s, 20);
	struct job *probe;

	(void)state;
	assert_false(attempt(s, 1000, SCHED_UNREACHABLE)->afresh); /* a verdict */
	probe = sched_next(s, 1001);
	assert_true(probe->afresh);
	/* What began before the operator gave his order is no answer to it. */
	sched_retry(s, late, 1001);
	assert_null(sched_next(s, 1001));
	sched_outcome(s, probe, SCHED_UNREACHABLE, STR("nobody\n"));
	sched_finish(s, probe, &zero, 1, 1060);
	probe = sched_next(s, 1060);
	assert_true(probe->afresh && !probe->verdict);
	sched_outcome(s, probe, SCHED_UNREACHABLE, STR("nobody\n"));
	sched_finish(s, probe, &zero, 1, 1061);
	assert_true(attempt(s, 1061, SCHED_UNREACHABLE)->verdict);
	sched_free(s, free);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_attempt_decides_for_all),
		cmocka_unit_test(probes_have_growing_intervals),
		cmocka_unit_test(all_go_out_when_it_answers_again),
		cmocka_unit_test(late_results),
		cmocka_unit_test(a_probe_that_is_put_back),
		cmocka_unit_test(a_message_dies_in_time),
		cmocka_unit_test(run_all_probes_at_once),
		cmocka_unit_test(the_dead_do_not_hold_up_the_living),
		cmocka_unit_test(attempts_that_count_are_made_afresh),
		cmocka_unit_test(probes_are_made_afresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
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

/*
 * One attempt with what there is to do next; the message is done if it worked, and waits otherwise. The job as it
 * was, or NULL.
 */
static const struct job *attempt(struct sched *s, int64_t now, enum sched_outcome outcome)
{
	static struct job was;
	struct job *j = sched_next(s, now);

	if (j == NULL)
		return NULL;
	was = *j;
	if (j->quiet) {
		sched_put_off(s, j);
		return &was;
	}
	if (!j->verdict)
		sched_outcome(s, j, outcome, STR("nobody\n"));
	if (outcome == SCHED_WORKED && !j->verdict) {
		struct msg *m = j->msg;

		sched_finish(s, j, NULL, 0, now);
		sched_remove(s, m);
	} else {
		sched_finish(s, j, &zero, 1, now);
	}
	return &was;
}

static struct job *add(struct sched *s, uint64_t id, int64_t birth, const char *domain)
{
	return sched_add_job(s, sched_add(s, id, birth), SCHED_REMOTE, str_of(domain), &zero, 1);
}

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
		cmocka_unit_test(a_message_is_retried_until_it_is_done),
		cmocka_unit_test(an_old_message_dies_at_its_last_attempt),
		cmocka_unit_test(destinations_take_turns),
		cmocka_unit_test(window_follows_the_outcomes),
		cmocka_unit_test(a_channel_that_is_stopped),
		cmocka_unit_test(one_attempt_decides_for_all),
		cmocka_unit_test(probes_have_growing_intervals),
		cmocka_unit_test(all_go_out_when_it_answers_again),
		cmocka_unit_test(late_results),
		cmocka_unit_test(a_probe_that_is_put_back),
		cmocka_unit_test(a_message_dies_in_time),
		cmocka_unit_test(run_all_probes_at_once),
		cmocka_unit_test(the_dead_do_not_hold_up_the_living),
		cmocka_unit_test(who_answers_has_slots),
		cmocka_unit_test(the_unknown_have_every_second_turn),
		cmocka_unit_test(more_mail_is_no_later_turn),
		cmocka_unit_test(concurrency_of_a_destination),
		cmocka_unit_test(rate_of_a_destination),
		cmocka_unit_test(schedule_of_a_destination),
		cmocka_unit_test(domains_of_one_provider),
		cmocka_unit_test(run_all_makes_everything_due),
		cmocka_unit_test(what_is_held_waits_for_its_release),
		cmocka_unit_test(attempts_that_count_are_made_afresh),
		cmocka_unit_test(probes_are_made_afresh),
		cmocka_unit_test(jobs_can_be_dropped_unless_one_runs),
		cmocka_unit_test(random_operations_keep_the_books),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

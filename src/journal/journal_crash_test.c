/*
 * Crashes the journal at every operation on its disk, keeps different parts
 * of what was not synced, and compares what recovery finds with a ledger of
 * what was promised.
 *
 * The work is a script that a seed makes: accepting in batches, results,
 * deferrals, changed envelopes, ends, compaction, restarts. In every other run
 * recovery goes in parts, and messages are accepted in between. CRASH_ROUNDS
 * scripts are run (each with a seed from CRASH_SEED on); CRASH_AT picks one operation of them,
 * CRASH_VERBOSE says before each run which it is.
 */
#include "journal/journal_script_fixture.h"

/* ---- after the power is back ----------------------------------------------------------------------- */

static void must_open(struct world *w)
{
	struct err e;

	buf_clear(&w->warnings);
	if (!world_open(w, &e))
		fail_msg("the journal does not open: %s", e.text);
}

static bool count_name(void *ctx, const char *name)
{
	(void)name;
	++*(size_t *)ctx;
	return true;
}

static size_t count_files(const char *dir)
{
	int fd = file_open_dir(AT_FDCWD, dir);
	size_t n = 0;

	if (fd == -1)
		return 0;
	file_list(fd, count_name, &n);
	file_close(fd);
	return n;
}

/* The journal goes on working: it takes mail, and when all has ended it has given everything back. */
static void must_go_on(struct world *w)
{
	size_t before = w->n;

	for (int i = 0; i < 3; i++)
		step_accept(w, chance_next(&w->chance));
	step_commit(w, false);
	assert_int_equal(w->n, before + 3);
	assert_int_equal(w->promises[before].message, DURABLE);
	check_all(w, WRITTEN);
	for (size_t i = 0; i < w->n; i++)
		if (w->promises[i].end == NEVER && !w->promises[i].refused)
			step_end(w, &w->promises[i]);
	step_commit(w, true);
	assert_int_equal(journal_count(w->j), 0);
	journal_maintain(w->j);
	world_close(w);
	w->parts = false;
	must_open(w);
	assert_int_equal(journal_count(w->j), 0);
	assert_int_equal(count_files("body"), 0);
	assert_true(count_files("journal") <= 3);
	world_close(w);
	assert_int_equal(simdisk_open_count(), 0);
}

static void copy_ledger(struct world *to, const struct world *from)
{
	*to = world_new(from->chance.state);
	to->parts = from->parts;
	to->n = from->n;
	to->promises = mem_array(NULL, from->n + 1, sizeof *to->promises);
	if (from->n)
		memcpy(to->promises, from->promises, from->n * sizeof *to->promises);
}

/* A power cut damages nothing; that a write was cut off is no damage. */
static void check_no_damage(struct world *w)
{
	struct journal_stats s;

	journal_stats(w->j, &s);
	if (s.corrupt)
		fail_msg("damage is reported:\n%s", buf_cstr(&w->warnings));
}

/* Which run it is, for messages. */
static void note_run(const char *what, uint64_t seed, uint64_t n, size_t detail)
{
	if (getenv("CRASH_VERBOSE"))
		print_message("%s CRASH_SEED=%llu CRASH_AT=%llu %zu\n", what, (unsigned long long)seed,
			      (unsigned long long)n, detail);
}

/* The disk has just been booted: recover, check, recover again, go on. */
static void check_boot(const struct world *ledger, uint64_t seed)
{
	struct world w;

	copy_ledger(&w, ledger);
	must_open(&w);
	check_all(&w, DURABLE);
	check_no_damage(&w);
	adopt(&w);
	check_all(&w, WRITTEN);
	world_close(&w);
	/* What was recovered once has been found for good. */
	simdisk_boot(SIMDISK_KEEP_SOME, seed);
	must_open(&w);
	check_all(&w, WRITTEN);
	check_no_damage(&w);
	must_go_on(&w);
	world_free(&w);
	counts.boots++;
}

/* Crashes the recovery itself at every operation. */
static void check_crash_in_recovery(const struct world *ledger, struct simdisk_image *image, enum simdisk_keep keep,
				    uint64_t seed)
{
	for (uint64_t n = 1;; n++) {
		struct world w;
		struct err e;
		bool crashed;

		simdisk_restore(image);
		simdisk_boot(keep, seed);
		simdisk_crash_at(n);
		copy_ledger(&w, ledger);
		if (world_open(&w, &e) && !simdisk_crashed())
			journal_maintain(w.j);
		crashed = simdisk_crashed();
		world_close(&w);
		if (!crashed) {
			world_free(&w);
			return;
		}
		counts.crashes++;
		simdisk_boot(n % 3 == 0   ? SIMDISK_KEEP_NONE
			     : n % 3 == 1 ? SIMDISK_KEEP_ALL
					  : SIMDISK_KEEP_SOME,
			     seed + n);
		/* With what was accepted meanwhile. */
		check_boot(&w, seed + n);
		world_free(&w);
	}
}

static uint64_t from_env(const char *name, uint64_t otherwise)
{
	uint64_t v = otherwise;
	const char *z = getenv(name);

	if (z)
		str_to_u64(str_of(z), &v);
	return v;
}

/* Every other script is long enough to fill segments and to compact them. */
static int steps_of(uint64_t seed)
{
	return seed % 2 ? 60 : 160;
}

static const struct {
	enum simdisk_keep keep;
	uint64_t seed;
} WAYS[] = {
	{ SIMDISK_KEEP_NONE, 0 }, { SIMDISK_KEEP_ALL, 0 },  { SIMDISK_KEEP_SOME, 1 },
	{ SIMDISK_KEEP_SOME, 2 }, { SIMDISK_KEEP_SOME, 3 },
};

#define NWAYS (sizeof WAYS / sizeof *WAYS)

/* Runs the script with a power cut at operation n; false when it ended before. */
static bool crash_once(uint64_t seed, uint64_t n)
{
	struct world w = world_new(seed);
	struct simdisk_image *image;
	bool crashed;

	w.parts = (seed + n) % 2;
	note_run("crash", seed, n, 0);
	simdisk_format();
	simdisk_crash_at(n);
	run_script(&w, steps_of(seed));
	world_close(&w);
	crashed = simdisk_crashed();
	image = simdisk_save();
	counts.runs++;
	counts.crashes += crashed;
	for (size_t i = 0; i < NWAYS; i++) {
		simdisk_restore(image);
		simdisk_boot(WAYS[i].keep, WAYS[i].seed + n);
		check_boot(&w, seed + n);
		if (n % 16 == i)
			check_crash_in_recovery(&w, image, WAYS[i].keep, WAYS[i].seed + n);
	}
	simdisk_image_free(image);
	world_free(&w);
	return crashed;
}

static void acknowledged_mail_survives_every_crash(void **state)
{
	uint64_t first = from_env("CRASH_SEED", 1), rounds = from_env("CRASH_ROUNDS", 3);
	uint64_t only = from_env("CRASH_AT", 0);

	(void)state;
	for (uint64_t seed = first; seed < first + rounds; seed++)
		for (uint64_t n = only ? only : 1; crash_once(seed, n) && !only; n++)
			;
	print_message("CRASH_SEED=%llu CRASH_ROUNDS=%llu: %lu scripts run, %lu crashes, %lu recoveries compared, %lu "
		      "batches while they went on\n",
		      (unsigned long long)first, (unsigned long long)rounds, counts.runs, counts.crashes, counts.boots,
		      counts.meanwhile);
	assert_true(only || counts.meanwhile);
}

/* ---- errors of the disk ------------------------------------------------------------------------------- */

/* Runs the script with failing calls from operation n on; false when none failed. */
static bool fail_once(uint64_t seed, unsigned kinds, uint64_t n, uint64_t times, int errnum)
{
	struct world w = world_new(seed);
	struct simdisk_image *image;
	uint64_t operations;

	w.errors = true;
	w.parts = n % 2;
	note_run("fail", seed, n, kinds);
	simdisk_format();
	simdisk_fail(kinds, n, times, errnum);
	run_script(&w, steps_of(seed));
	operations = simdisk_operations();
	simdisk_fail(0, 0, 0, 0);
	if (w.j)
		check_all(&w, STAGED);
	simdisk_crash_at(1);
	world_close(&w);
	image = simdisk_save();
	counts.faults++;
	for (size_t i = 0; i < NWAYS; i++) {
		simdisk_restore(image);
		simdisk_boot(WAYS[i].keep, WAYS[i].seed + n);
		check_boot(&w, seed + n);
	}
	simdisk_image_free(image);
	world_free(&w);
	return n <= operations + 50;
}

static void no_error_of_the_disk_becomes_a_promise(void **state)
{
	static const struct {
		unsigned kinds;
		uint64_t times;
		int errnum;
	} faults[] = {
		{ SIMDISK_SYNC, 1, EIO },
		{ SIMDISK_WRITE, 1, EIO },
		{ SIMDISK_ANY & ~(unsigned)SIMDISK_READ, 1, EIO },
		{ SIMDISK_WRITE | SIMDISK_CREATE | SIMDISK_RESERVE, 40, ENOSPC },
		{ SIMDISK_READ, 1, EIO },
		{ SIMDISK_SYNC | SIMDISK_SYNC_DIR, UINT64_MAX, EIO },
	};
	uint64_t first = from_env("CRASH_SEED", 1), rounds = from_env("CRASH_ROUNDS", 3);
	uint64_t only = from_env("CRASH_AT", 0), which = from_env("CRASH_FAULT", UINT64_MAX);

	(void)state;
	for (uint64_t seed = first; seed < first + (rounds + 3) / 4; seed++)
		for (size_t f = 0; f < sizeof faults / sizeof *faults; f++)
			for (uint64_t n = only ? only : 1; which == UINT64_MAX || which == f; n++)
				if (!fail_once(seed, faults[f].kinds, n, faults[f].times, faults[f].errnum) || only)
					break;
	print_message("CRASH_SEED=%llu: %lu scripts run with errors of the disk\n", (unsigned long long)first,
		      counts.faults);
}

static int release(void **state)
{
	(void)state;
	simdisk_free();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(acknowledged_mail_survives_every_crash, release),
		cmocka_unit_test_teardown(no_error_of_the_disk_becomes_a_promise, release),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

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

#include "linelog/logdir.h"
#include "linelog/logdir_finish.h"
#include "linelog/oldlogs.h"
#include "sys/file.h"
#include "sys/io.h"
#include "testing/testplace.h"

static char name[64];
static int dir;

static int begin(void **state)
{
	testplace_begin(state);
	testplace_mkdir("log");
	snprintf(name, sizeof name, "%s", testplace_path("log"));
	dir = open(name, O_RDONLY | O_DIRECTORY);
	return dir == -1 ? -1 : 0;
}

static int end(void **state)
{
	close(dir);
	return testplace_end(state);
}

static void put(const char *file, const char *content, mode_t mode)
{
	int fd = openat(dir, file, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(io_write_all(fd, content, strlen(content)), 0);
	close(fd);
}

struct gathered {
	struct buf text; /* "s:content u:content current:content …" in order of time */
	char names[16][NAME_MAX + 1];
	size_t n;
};

static bool gather(void *ctx, const char *file)
{
	struct gathered *g = ctx;

	snprintf(g->names[g->n++], sizeof g->names[0], "%s", file);
	return g->n < 16;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void describe(struct gathered *g, const char *file)
{
	struct buf content = BUF_INIT(65536);
	int fd = openat(dir, file, O_RDONLY);

	assert_true(io_read_rest(fd, &content));
	close(fd);
	buf_addf(&g->text, "%s:%s ", file[0] == '@' ? file + 26 : file, buf_cstr(&content));
	buf_free(&content);
}

/* All files but the lock. */
static void holds(const char *want)
{
	struct gathered g = { .text = BUF_INIT(65536) };

	assert_int_equal(file_list(dir, gather, &g), 0);
	qsort(g.names, g.n, sizeof g.names[0], by_name);
	for (size_t i = 0; i < g.n; i++)
		if (strcmp(g.names[i], "lock") != 0)
			describe(&g, g.names[i]);
	assert_string_equal(buf_cstr(&g.text), want);
	buf_free(&g.text);
}

static struct logdir opened(uint64_t number, const char *processor)
{
	struct logdir_settings set = {
		.me = "test", .name = name, .size = 4096, .number = number, .processor = processor
	};
	struct logdir d;
	struct err e;

	if (!logdir_open(&d, &set, &e))
		fail_msg("%s", e.text);
	return d;
}

static void add(struct logdir *d, const char *line)
{
	logdir_write(d, str_of(line));
}

static mode_t mode_of(const char *file)
{
	struct stat st;

	assert_int_equal(fstatat(dir, file, &st, 0), 0);
	return st.st_mode & 07777;
}

static void goes_on_after_a_good_end(void **state)
{
	struct logdir d = opened(3, NULL);

	(void)state;
	add(&d, "a\n");
	logdir_flush(&d);
	assert_int_equal(mode_of("current"), 0644);
	logdir_close(&d);
	assert_int_equal(mode_of("current"), 0744);
	d = opened(3, NULL);
	assert_int_equal(mode_of("current"), 0644);
	add(&d, "b\n");
	logdir_close(&d);
	holds("current:a\nb\n state: ");
}

static void a_kill_ends_the_file(void **state)
{
	struct logdir d;

	(void)state;
	put("current", "a\nhalf", 0644);
	put("state", "old", 0644);
	d = opened(3, NULL);
	logdir_close(&d);
	holds("u:a\nhalf current: state: ");
}

/* Killed after "rename current previous", and at each step after it. */
static void finishes_a_rotation(void **state)
{
	struct logdir d;

	(void)state;
	put("previous", "old\n", 0744);
	d = opened(5, NULL);
	logdir_close(&d);
	holds("u:old\n current: state: ");
	put("previous", "second\n", 0744);
	put("current", "third\n", 0644);
	d = opened(5, NULL);
	logdir_close(&d);
	holds("u:old\n u:second\n u:third\n current: state: ");
}

static void does_not_name_a_file_twice(void **state)
{
	struct logdir d;

	(void)state;
	put("previous", "old\n", 0744);
	assert_int_equal(linkat(dir, "previous", dir, "@400000006b01a89536e71db9.s", 0), 0);
	d = opened(5, NULL);
	logdir_close(&d);
	holds("s:old\n current: state: ");
}

static void takes_what_a_processor_completed(void **state)
{
	struct logdir d;

	(void)state;
	put("previous", "raw\n", 0744);
	put("processed", "done\n", 0744);
	put("newstate", "x", 0644);
	d = opened(5, NULL);
	logdir_close(&d);
	holds("s:done\n current: state: ");
	put("previous", "raw\n", 0744);
	put("processed", "do", 0644);
	put("current", "next\n", 0644);
	d = opened(5, NULL);
	logdir_close(&d);
	holds("s:done\n u:raw\n u:next\n current: state: ");
}

static void keeps_so_many(void **state)
{
	struct logdir d = opened(3, NULL);
	char oldest[NAME_MAX + 1];

	(void)state;
	for (int i = 0; i < 5; i++) {
		char line[16];

		snprintf(line, sizeof line, "%d\n", i);
		add(&d, line);
		logdir_rotate(&d);
		logdir_rotate(&d);
	}
	holds("s:3\n s:4\n current: state: ");
	assert_int_equal(oldlogs_look(dir, 25, oldest), 2);
	assert_int_equal(mode_of(oldest), 0744);
	assert_int_equal(oldlogs_look(dir, 40, oldest), 0);
	logdir_close(&d);
}

static void a_processor_works_on_the_file(void **state)
{
	struct logdir d = opened(4, "cat <&4 >&5; echo more >&5; tr a-z A-Z; echo $(cat <&4) >&2");

	(void)state;
	add(&d, "one\n");
	logdir_rotate(&d);
	add(&d, "two\n");
	logdir_rotate(&d);
	logdir_close(&d);
	holds("s:ONE\n s:TWO\n current: state:more\nmore\n ");
}

static void files_end_with_lines(void **state)
{
	struct logdir d = opened(9, NULL);
	char line[152];
	struct stat st;
	char oldest[NAME_MAX + 1];

	(void)state;
	memset(line, 'x', 150);
	line[150] = '\n';
	line[151] = 0;
	for (int i = 0; i < 15; i++)
		add(&d, line);
	assert_int_equal(oldlogs_look(dir, 25, oldest), 1);
	assert_int_equal(fstatat(dir, oldest, &st, 0), 0);
	assert_int_equal(st.st_size, 14 * 151);
	assert_int_equal(d.bytes, 151);
	/* A line that does not end goes on in the next file. */
	for (int i = 0; i < 60; i++)
		logdir_write(&d, str_head(str_of(line), 150));
	assert_int_equal(d.bytes, 151 + 9000 - 2 * 4096);
	logdir_close(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(goes_on_after_a_good_end, begin, end),
		cmocka_unit_test_setup_teardown(a_kill_ends_the_file, begin, end),
		cmocka_unit_test_setup_teardown(finishes_a_rotation, begin, end),
		cmocka_unit_test_setup_teardown(does_not_name_a_file_twice, begin, end),
		cmocka_unit_test_setup_teardown(takes_what_a_processor_completed, begin, end),
		cmocka_unit_test_setup_teardown(keeps_so_many, begin, end),
		cmocka_unit_test_setup_teardown(a_processor_works_on_the_file, begin, end),
		cmocka_unit_test_setup_teardown(files_end_with_lines, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

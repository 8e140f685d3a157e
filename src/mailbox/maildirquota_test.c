#include "mailbox/maildirquota.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "mailbox/maildirmaker.h"
#include "testing/testplace.h"

static struct err e;

static int setup(void **state)
{
	testplace_begin(state);
	assert_true(maildir_make("a/b/M", &e));
	return 0;
}

static void is(const char *path, const char *text)
{
	char have[1000] = "";
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	assert_true(fread(have, 1, sizeof have - 1, f) < sizeof have);
	fclose(f);
	assert_string_equal(have, text);
}

static void directories_are_made_for_their_owner(void **state)
{
	static const char *const made[] = { "a", "a/b", "a/b/M", "a/b/M/tmp", "a/b/M/new", "a/b/M/cur" };
	struct stat st;

	(void)state;
	for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
		assert_int_equal(stat(made[i], &st), 0);
		assert_int_equal(st.st_mode & 07777, 0700);
	}
	assert_true(maildir_make("./a/b/M/", &e));
	assert_true(maildir_make("M2", &e));
	testplace_putz("file", "");
	assert_false(maildir_make("file/M", &e));
}

static void without_a_file_there_is_no_quota(void **state)
{
	struct maildirquota q;

	(void)state;
	assert_true(maildirquota_open("a/b/M", NULL, &q, &e));
	assert_int_equal(q.dir, -1);
	testplace_putz("a/b/M/maildirsize", "0S\n0 0\n");
	assert_true(maildirquota_open("a/b/M", NULL, &q, &e));
	assert_int_equal(q.dir, -1);
	testplace_putz("a/b/M/maildirsize", "rubbish");
	assert_true(maildirquota_open("a/b/M", NULL, &q, &e));
	assert_int_equal(q.dir, -1);
}

static void messages_of_all_folders_count_once(void **state)
{
	struct maildirquota q;
	struct maildir_quota limit = { 1000, 0 };
	struct maildirsize s;
	uint64_t room;
	bool fits;

	(void)state;
	assert_true(maildir_make("a/b/M/.f", &e) && maildir_make("a/b/M/.Trash", &e));
	testplace_putz("a/b/M/new/1,S=300", "x");
	testplace_putz("a/b/M/cur/2:2,S", "seven..");
	testplace_putz("a/b/M/cur/3,S=100:2,T", "x");
	testplace_putz("a/b/M/.f/cur/4,S=50,W=60:2,", "x");
	testplace_putz("a/b/M/.Trash/cur/5,S=900:2,", "x");
	testplace_putz("a/b/M/tmp/6,S=900", "x");
	assert_true(maildirquota_open("a/b/M", &limit, &q, &e));
	assert_true(maildirquota_fits(&q, 1000 - 357, &fits, &e));
	assert_true(fits);
	is("a/b/M/maildirsize", "1000S\n357 3\n");
	assert_true(maildirquota_fits(&q, 1001 - 357, &fits, &e));
	assert_false(fits);
	maildirquota_count(&q, 43, 1);
	assert_true(maildirquota_read(&q, &s));
	assert_true(s.bytes == 400 && s.messages == 4);
	/* It says more than there is: counted before mail is turned away, without writing where it is only asked. */
	assert_true(maildirquota_room(&q, &room, &e));
	assert_int_equal(room, 1000 - 357);
	is("a/b/M/maildirsize", "1000S\n357 3\n43 1\n");
	assert_true(maildirquota_fits(&q, 1000 - 357, &fits, &e));
	assert_true(fits);
	is("a/b/M/maildirsize", "1000S\n357 3\n");
	/* Where much is free nobody counts. */
	testplace_putz("a/b/M/maildirsize", "900000000S\n1000 3\n1000 1\n");
	q.quota.bytes = 900000000;
	assert_true(maildirquota_room(&q, &room, &e));
	assert_int_equal(room, 900000000 - 2000);
	assert_int_equal(unlink("a/b/M/maildirsize"), 0);
	assert_true(maildirquota_room(&q, &room, &e));
	assert_true(room == UINT64_MAX);
	maildirquota_close(&q);
}

static void a_new_limit_replaces_the_old_one(void **state)
{
	struct maildirquota q;
	struct maildir_quota limit = { 0, 1 };
	bool fits;

	(void)state;
	testplace_putz("a/b/M/maildirsize", "5S\n0 0\n");
	assert_true(maildirquota_open("a/b/M", &limit, &q, &e));
	assert_true(maildirquota_fits(&q, 100, &fits, &e));
	assert_true(fits);
	is("a/b/M/maildirsize", "1C\n0 0\n");
	maildirquota_close(&q);
}

static void a_folder_belongs_to_the_maildir_above(void **state)
{
	struct maildirquota q;

	(void)state;
	assert_true(maildir_make("a/b/M/.f", &e));
	testplace_putz("a/b/M/.f/maildirfolder", "");
	testplace_putz("a/b/M/maildirsize", "5S\n0 0\n");
	assert_true(maildirquota_open("a/b/M/.f/", NULL, &q, &e));
	assert_int_equal(q.quota.bytes, 5);
	maildirquota_count(&q, 3, 1);
	is("a/b/M/maildirsize", "5S\n0 0\n3 1\n");
	maildirquota_close(&q);
}

static void a_long_file_is_written_anew(void **state)
{
	struct maildirquota q;
	bool fits;

	(void)state;
	testplace_putz("a/b/M/maildirsize", "1000000S\n");
	assert_true(maildirquota_open("a/b/M", NULL, &q, &e));
	for (int i = 0; i < 1500; i++)
		maildirquota_count(&q, 1, 1);
	assert_true(maildirquota_fits(&q, 1, &fits, &e));
	is("a/b/M/maildirsize", "1000000S\n0 0\n");
	maildirquota_close(&q);
}

static void links_and_pipes_are_not_followed(void **state)
{
	struct maildirquota q;

	(void)state;
	testplace_putz("elsewhere", "5S\n");
	assert_int_equal(symlink("../../../elsewhere", "a/b/M/maildirsize"), 0);
	assert_true(maildirquota_open("a/b/M", NULL, &q, &e));
	assert_int_equal(q.dir, -1);
	unlink("a/b/M/maildirsize");
	assert_int_equal(mkfifo("a/b/M/maildirsize", 0600), 0);
	assert_false(maildirquota_open("a/b/M", NULL, &q, &e));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, testplace_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(directories_are_made_for_their_owner),  TEST(without_a_file_there_is_no_quota),
		TEST(messages_of_all_folders_count_once),    TEST(a_new_limit_replaces_the_old_one),
		TEST(a_folder_belongs_to_the_maildir_above), TEST(a_long_file_is_written_anew),
		TEST(links_and_pipes_are_not_followed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

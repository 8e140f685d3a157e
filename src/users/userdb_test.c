#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "cdb/cdbmaker.h"
#include "testing/testplace.h"
#include "users/assign.h"
#include "users/owner.h"
#include "users/userdb.h"

static const char assign[] = "=joe:joe:10:20:/home/joe:::\n"
			     "+joe-:joe:10:20:/home/joe:-::\n"
			     "+joe-list-:joe:10:20:/home/joe:-:list-:\n"
			     "=Caps:caps:11:20:/c:::\n"
			     "+domainX:dom:12:20:/d:-:p-:\n"
			     "=bad:bad:ten:20:/b:::\n"
			     "+:alias:7:20:/a:-::\n"
			     ".\n";

struct fixture {
	int dirfd;
	struct cdbfile db;
};

static void build(int dirfd, const char *text, struct str ends)
{
	struct str rest = str_of(text);
	struct assign_line l;
	struct cdbmaker m;
	struct err e = { .text = "" };

	assert_true(cdbmaker_start(&m, dirfd, "cdb", "cdb.tmp", 0644, &e));
	while (assign_next(&rest, &l) == ASSIGN_LINE) {
		struct buf k = BUF_INIT(100), v = BUF_INIT(100);

		assign_record(&l, &k, &v);
		assert_true(cdbmaker_add(&m, buf_str(&k), buf_str(&v), &e));
		buf_free(&k);
		buf_free(&v);
	}
	assert_true(cdbmaker_add(&m, STR(""), ends, &e));
	assert_true(cdbmaker_finish(&m, &e));
}

static int setup(void **state)
{
	static struct fixture f;
	struct err e = { .text = "" };

	testplace_begin(state);
	f.dirfd = open(testplace(), O_RDONLY | O_DIRECTORY);
	/* A set as other writers spell it: 'X' in upper case. */
	build(f.dirfd, assign, STR("-X"));
	assert_true(cdbfile_open(&f.db, f.dirfd, "cdb", &e));
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	cdbfile_close(&f->db);
	close(f->dirfd);
	return testplace_end(state);
}

static void found(const struct fixture *f, const char *local, const char *expected)
{
	struct owner o = OWNER_INIT;
	struct buf b = BUF_INIT(1000);
	struct err e = { .text = "" };

	assert_int_equal(userdb_find(&f->db, str_of(local), &o, &e), OWNER_FOUND);
	buf_addf(&b, "%s %u %u %s [%s] [%s]", o.user, o.uid, o.gid, o.home, o.dash, o.ext);
	assert_string_equal(buf_cstr(&b), expected);
	buf_free(&b);
	owner_free(&o);
}

static void addresses_find_their_owner(void **state)
{
	found(*state, "joe", "joe 10 20 /home/joe [] []");
	found(*state, "JOE", "joe 10 20 /home/joe [] []");
	found(*state, "joe-Foo.Bar", "joe 10 20 /home/joe [-] [Foo.Bar]");
	found(*state, "joe-", "joe 10 20 /home/joe [-] []");
	found(*state, "Joe-List-A", "joe 10 20 /home/joe [-] [list-A]");
	found(*state, "caps", "caps 11 20 /c [] []");
	found(*state, "joes", "alias 7 20 /a [-] [joes]");
}

static void prefix_may_end_in_upper_case(void **state)
{
	found(*state, "domainXy", "dom 12 20 /d [-] [p-y]");
	found(*state, "DOMAINxY", "dom 12 20 /d [-] [p-Y]");
}

static void malformed_records_are_trouble(void **state)
{
	struct fixture *f = *state;
	struct owner o = OWNER_INIT;
	struct err e = { .text = "" };

	assert_int_equal(userdb_find(&f->db, STR("bad"), &o, &e), OWNER_DATABASE);
	assert_int_equal(e.kind, ERR_TEMPORARY);
	owner_free(&o);
}

static void without_database_nobody_is_found(void **state)
{
	struct cdbfile none = CDBFILE_INIT;
	struct owner o = OWNER_INIT;
	struct err e = { .text = "" };

	(void)state;
	assert_int_equal(userdb_find(&none, STR("joe"), &o, &e), OWNER_NONE);
}

static void fields_are_checked(void **state)
{
	struct owner o = OWNER_INIT;

	(void)state;
	assert_int_equal(owner_decode(&o,
				      STR("u\0"
					  "1\0"
					  "2\0/h\0-\0x"),
				      STR("y")),
			 OWNER_FOUND);
	assert_string_equal(o.ext, "xy");
	assert_int_equal(owner_decode(&o,
				      STR("u\0"
					  "1\0"
					  "2\0/h\0-"),
				      STR("")),
			 OWNER_DATABASE);
	assert_int_equal(owner_decode(&o,
				      STR("u\0\0"
					  "2\0/h\0-\0"),
				      STR("")),
			 OWNER_DATABASE);
	assert_int_equal(owner_decode(&o,
				      STR("u\0"
					  "4294967295\0"
					  "2\0/h\0-\0"),
				      STR("")),
			 OWNER_DATABASE);
	assert_int_equal(owner_decode(&o,
				      STR("u\0"
					  "1\0-2\0/h\0-\0"),
				      STR("")),
			 OWNER_DATABASE);
	assert_int_equal(owner_decode(&o,
				      STR("u\0"
					  "1\0"
					  "2\0/h\0-\0a\0b"),
				      STR("")),
			 OWNER_DATABASE);
	owner_free(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(addresses_find_their_owner, setup, teardown),
		cmocka_unit_test_setup_teardown(prefix_may_end_in_upper_case, setup, teardown),
		cmocka_unit_test_setup_teardown(malformed_records_are_trouble, setup, teardown),
		cmocka_unit_test(without_database_nobody_is_found),
		cmocka_unit_test(fields_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

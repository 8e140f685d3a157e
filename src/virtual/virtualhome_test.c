#include "testing/testplace.h"
#include "virtual/virtualhome.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void path_is(const char *address, const char *path)
{
	struct buf b = BUF_INIT(1000);

	virtualhome_path(&b, str_of(address));
	assert_string_equal(buf_cstr(&b), path);
	buf_free(&b);
}

static void every_address_has_a_directory_below_its_domain(void **state)
{
	(void)state;
	path_is("Ann@Example.ORG", "mailboxes/example.org/ann");
	path_is("../../x@a.test", "mailboxes/a.test/%2e.%2f..%2fx");
	path_is(".@..", "mailboxes/%2e./%2e");
	path_is("a%2fb@a.test", "mailboxes/a.test/a%252fb");
	path_is("a@b@c", "mailboxes/c/a@b");
	path_is("\xc3\xa4@x", "mailboxes/x/\xc3\xa4");
}

static void the_directory_tells_the_account(void **state)
{
	struct err e;
	uid_t uid;
	gid_t gid;

	(void)state;
	assert_false(virtualhome_owner(&uid, &gid, &e));
	assert_int_equal(mkdir("mailboxes", 0700), 0);
	if (getuid() == 0) {
		assert_false(virtualhome_owner(&uid, &gid, &e));
		assert_int_equal(chown("mailboxes", 4711, 4712), 0);
		assert_true(virtualhome_owner(&uid, &gid, &e));
		assert_true(uid == 4711 && gid == 4712);
	} else {
		assert_true(virtualhome_owner(&uid, &gid, &e));
		assert_true(uid == getuid());
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_address_has_a_directory_below_its_domain),
		cmocka_unit_test_setup_teardown(the_directory_tells_the_account, testplace_begin, testplace_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "password/passwordhash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void what_is_hashed_matches(void **state)
{
	struct buf a = BUF_INIT(1000), b = BUF_INIT(1000);
	struct err e;

	(void)state;
	assert_true(password_hash("open sesame", &a, &e));
	assert_true(password_hash("open sesame", &b, &e));
	assert_string_not_equal(buf_cstr(&a), buf_cstr(&b));
	assert_true(password_matches("open sesame", buf_cstr(&a)));
	assert_false(password_matches("open sesamE", buf_cstr(&a)));
	assert_false(password_matches("open sesame ", buf_cstr(&a)));
	assert_false(password_matches("", buf_cstr(&a)));
	buf_free(&a);
	buf_free(&b);
}

static void hashes_of_other_systems_match(void **state)
{
	(void)state;
	assert_true(password_matches("rasmuslerdorf", "$1$rasmusle$rISCgZzpwk3UhDidwXvin0"));
	assert_true(password_matches(
	    "Hello world!", "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFC"
			    "oEOfaS35inz1"));
}

static void locked_and_broken_hashes_are_nobodys(void **state)
{
	static const char *const hashes[] = {
		"", "!", "*", "!$1$rasmusle$rISCgZzpwk3UhDidwXvin0", "x", "*0", "$9$a$b"
	};

	(void)state;
	for (size_t i = 0; i < sizeof hashes / sizeof *hashes; i++) {
		assert_false(password_matches("rasmuslerdorf", hashes[i]));
		assert_false(password_matches("", hashes[i]));
	}
}

static void long_passwords_are_refused(void **state)
{
	struct buf hash = BUF_INIT(1000);
	char password[PASSWORD_MAX + 2];
	struct err e;

	(void)state;
	memset(password, 'x', sizeof password);
	password[PASSWORD_MAX + 1] = 0;
	assert_false(password_hash(password, &hash, &e));
	assert_false(password_matches(password, "$1$rasmusle$rISCgZzpwk3UhDidwXvin0"));
	password[PASSWORD_MAX] = 0;
	assert_true(password_hash(password, &hash, &e));
	buf_free(&hash);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_hashed_matches),
		cmocka_unit_test(hashes_of_other_systems_match),
		cmocka_unit_test(locked_and_broken_hashes_are_nobodys),
		cmocka_unit_test(long_passwords_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "pop3/popbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void id_is(struct str name, const char *id)
{
	struct buf out = BUF_INIT(1000);

	popbox_uid_of(name, &out);
	assert_string_equal(buf_cstr(&out), id);
	buf_free(&out);
}

static void ids_are_names_without_flags(void **state)
{
	(void)state;
	id_is(STR("1.2.h"), "1.2.h");
	id_is(STR("1.2.h:2,S"), "1.2.h");
	id_is(STR("1.2.h,S=5,W=6:2,RS"), "1.2.h,S=5,W=6");
}

#define TEN "0123456789"
#define SEVENTY TEN TEN TEN TEN TEN TEN TEN

static void ids_have_at_most_seventy_visible_bytes(void **state)
{
	struct buf a = BUF_INIT(1000), b = BUF_INIT(1000);

	(void)state;
	id_is(STR(SEVENTY ":2,S"), SEVENTY);
	id_is(STR(TEN TEN TEN TEN TEN TEN ".host,S=1234,W=1250:2,S"), TEN TEN TEN TEN TEN TEN ".host");
	popbox_uid_of(STR(SEVENTY "x:2,"), &a);
	assert_int_equal(a.n, 32);
	popbox_uid_of(STR(SEVENTY "y"), &b);
	assert_string_not_equal(buf_cstr(&a), buf_cstr(&b));
	buf_clear(&b);
	popbox_uid_of(STR(SEVENTY "x"), &b);
	assert_string_equal(buf_cstr(&a), buf_cstr(&b));
	buf_clear(&a);
	popbox_uid_of(STR("a b"), &a);
	assert_int_equal(a.n, 32);
	buf_clear(&a);
	popbox_uid_of(STR(":2,"), &a);
	assert_int_equal(a.n, 32);
	buf_free(&a);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_are_names_without_flags),
		cmocka_unit_test(ids_have_at_most_seventy_visible_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

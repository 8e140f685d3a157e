#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "serial/serialreport.h"

static void what_is_written_is_read(void **state)
{
	struct buf b = BUF_INIT(10000);
	struct str rest, name, text;
	char letter;

	(void)state;
	serialreport_add(&b, STR("new/1"), 'K', STR("a\nb\xe4"));
	serialreport_add(&b, STR("cur/2"), 'D', STR(""));
	for (size_t n = 0; n < b.n; n++) {
		rest = str_head(buf_str(&b), n);
		while (serialreport_take(&rest, &name, &letter, &text) == SERIALREPORT_ONE)
			;
		assert_int_equal(serialreport_take(&rest, &name, &letter, &text), SERIALREPORT_MORE);
	}
	rest = buf_str(&b);
	assert_int_equal(serialreport_take(&rest, &name, &letter, &text), SERIALREPORT_ONE);
	assert_true(str_eq(name, STR("new/1")) && letter == 'K' && str_eq(text, STR("a?b?")));
	assert_int_equal(serialreport_take(&rest, &name, &letter, &text), SERIALREPORT_ONE);
	assert_true(str_eq(name, STR("cur/2")) && letter == 'D' && text.n == 0);
	assert_int_equal(rest.n, 0);
	buf_free(&b);
}

static void what_is_no_report(void **state)
{
	static char many[SERIALREPORT_MAX + 1];
	struct str rest = STR("a\0Xtext\n"), name, text;
	char letter;

	(void)state;
	assert_int_equal(serialreport_take(&rest, &name, &letter, &text), SERIALREPORT_BAD);
	rest = STR("a\0\n");
	assert_int_equal(serialreport_take(&rest, &name, &letter, &text), SERIALREPORT_BAD);
	memset(many, 'x', sizeof many);
	rest = (struct str){ many, sizeof many - 1 };
	assert_int_equal(serialreport_take(&rest, &name, &letter, &text), SERIALREPORT_MORE);
	rest = (struct str){ many, sizeof many };
	assert_int_equal(serialreport_take(&rest, &name, &letter, &text), SERIALREPORT_BAD);
}

static void letters(void **state)
{
	(void)state;
	assert_int_equal(serialreport_letter(250), 'K');
	assert_int_equal(serialreport_letter(399), 'K');
	assert_int_equal(serialreport_letter(400), 'Z');
	assert_int_equal(serialreport_letter(499), 'Z');
	assert_int_equal(serialreport_letter(500), 'D');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(what_is_no_report),
		cmocka_unit_test(letters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

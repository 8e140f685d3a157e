#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ucspi/logfield.h"

static void fields_are_made_harmless(void **state)
{
	struct buf out = BUF_INIT(1000);
	char many[102];

	(void)state;
	logfield_add(&out, STR("a:b c%d\x7f\xe4~!\n"));
	assert_string_equal(buf_cstr(&out), "a?b?c?d??~!?");
	memset(many, 'x', sizeof many);
	buf_clear(&out);
	logfield_add(&out, (struct str){ many, 100 });
	assert_int_equal(out.n, 100);
	buf_clear(&out);
	logfield_add(&out, (struct str){ many, 101 });
	assert_int_equal(out.n, 103);
	assert_true(str_ends(buf_str(&out), STR("x...")));
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_are_made_harmless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

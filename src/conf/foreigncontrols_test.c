#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "conf/controls.h"
#include "conf/foreigncontrols.h"

static void names_and_their_beginnings_are_found(void **state)
{
	(void)state;
	assert_string_equal(foreigncontrols_find("badrcptto")->reader, "the badrcptto patch");
	assert_string_equal(foreigncontrols_find("simcontrol.cdb")->reader, "simscan");
	assert_true(foreigncontrols_find("simcontrol.cdb")->own_program);
	assert_non_null(foreigncontrols_find("validrcptto.cdb"));
	assert_null(foreigncontrols_find("badrcpttox"));
	assert_null(foreigncontrols_find("nonsense"));
}

static void what_we_read_is_not_foreign(void **state)
{
	size_t n;
	const struct controls_file *files = controls_all(&n);

	(void)state;
	for (size_t i = 0; i < n; i++)
		assert_null(foreigncontrols_find(files[i].name));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_and_their_beginnings_are_found),
		cmocka_unit_test(what_we_read_is_not_foreign),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

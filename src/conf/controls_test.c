#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "conf/controls.h"

static void every_row_is_complete(void **state)
{
	size_t n;
	const struct controls_file *files = controls_all(&n);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		assert_non_null(files[i].readers);
		assert_non_null(files[i].fallback);
		assert_non_null(files[i].before);
		assert_non_null(files[i].after);
		/* A second row of the same name would hide the first. */
		assert_ptr_equal(controls_find(files[i].name), &files[i]);
		if (files[i].kind == CONTROLS_NUMBER)
			assert_int_equal(strspn(files[i].fallback, "0123456789"), strlen(files[i].fallback));
	}
}

static void unknown_names_have_no_row(void **state)
{
	(void)state;
	assert_null(controls_find("nonsense"));
	assert_null(controls_find(""));
	assert_string_equal(controls_find("queuelifetime")->fallback, "604800");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_is_complete),
		cmocka_unit_test(unknown_names_have_no_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

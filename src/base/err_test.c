#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "base/err.h"

static void words_are_the_old_ones(void **state)
{
	static const struct {
		int errnum;
		const char *text;
	} known[] = {
		{ ENOENT, "file does not exist" },
		{ EACCES, "access denied" },
		{ EPERM, "permission denied" },
		{ EAGAIN, "temporary failure" },
		{ EADDRINUSE, "address already used" },
		{ EPROTO, "protocol error" },
		{ ESTALE, "stale NFS file handle" },
		{ EISDIR, "is a directory" },
		{ 12345, "unknown error" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		assert_string_equal(errno_text(known[i].errnum), known[i].text);
}

static void texts_are_built_from_the_inside_out(void **state)
{
	struct err e;

	(void)state;
	assert_false(err_sys(&e, ENOSPC, "unable to write %s", "x"));
	assert_false(err_context(&e, "queue %d", 7));
	assert_string_equal(e.text, "queue 7: unable to write x: out of disk space");
	assert_int_equal(e.sys, ENOSPC);
	assert_int_equal(err_exit_code(&e), 111);
	assert_false(err_sys(&e, ENOENT, "unable to open y"));
	assert_int_equal(err_exit_code(&e), 100);
}

static void long_texts_are_cut(void **state)
{
	char many[2 * sizeof((struct err *)0)->text];
	struct err e;

	(void)state;
	memset(many, 'a', sizeof many);
	many[sizeof many - 1] = 0;
	err_perm(&e, "%s", many);
	err_context(&e, "context");
	assert_int_equal(strlen(e.text), sizeof e.text - 1);
	assert_memory_equal(e.text, "context: aaa", 12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_the_old_ones),
		cmocka_unit_test(texts_are_built_from_the_inside_out),
		cmocka_unit_test(long_texts_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

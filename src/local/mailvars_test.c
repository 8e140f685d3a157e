#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "local/mailvars.h"

#define NOW 1795255567 /* Sat Nov 21 10:06:07 2026 */

static void line(void (*make)(struct buf *, struct str), const char *sender, const char *expected)
{
	struct buf b = BUF_INIT(10000);

	make(&b, str_of(sender));
	assert_string_equal(buf_cstr(&b), expected);
	buf_free(&b);
}

static void ufline(struct buf *b, struct str sender)
{
	mailvars_ufline(b, sender, NOW);
}

static void dtline(struct buf *b, struct str local)
{
	mailvars_dtline(b, local, STR("h\nX: y.test"));
}

static void lines_of_a_delivery(void **state)
{
	(void)state;
	line(ufline, "send@x.test", "From send@x.test Sat Nov 21 10:06:07 2026\n");
	line(ufline, "", "From MAILER-DAEMON Sat Nov 21 10:06:07 2026\n");
	line(ufline, "a b\tc\nFrom d", "From a-b-c-From-d Sat Nov 21 10:06:07 2026\n");
	line(mailvars_rpline, "send@x.test", "Return-Path: <send@x.test>\n");
	line(mailvars_rpline, "", "Return-Path: <>\n");
	line(mailvars_rpline, "a b@x", "Return-Path: <\"a b\"@x>\n");
	line(mailvars_rpline, "a\nb@x", "Return-Path: <\"a\\_b\"@x>\n");
	line(mailvars_rpline, "a@x\nBcc: y", "Return-Path: <a@x_Bcc: y>\n");
	line(dtline, "a\nb", "Delivered-To: a_b@h_X: y.test\n");
}

static const char *value(char **environment, const char *name)
{
	size_t n = strlen(name);
	const char *result = NULL;

	for (size_t i = 0; environment[i]; i++) {
		if (strncmp(environment[i], name, n) != 0 || environment[i][n] != '=')
			continue;
		assert_null(result);
		result = environment[i] + n + 1;
	}
	return result ? result : "(unset)";
}

static void environment_of_programs(void **state)
{
	char *const inherited[] = { (char[]){ "PATH=/bin" }, (char[]){ "USER=root" }, (char[]){ "EXT=x" },
				    (char[]){ "DEFAULT=d" }, (char[]){ "EXTRA=yes" }, NULL };
	struct mailvars v = { .sender = "s@x",
			      .newsender = "n@x",
			      .local = "joe-a-b-c-d",
			      .host = "m.x.y.test",
			      .user = "joe",
			      .home = "/h",
			      .ext = "a-b-c-d",
			      .now = NOW };
	char **e = mailvars_environment(&v, inherited);

	(void)state;
	assert_string_equal(value(e, "PATH"), "/bin");
	assert_string_equal(value(e, "EXTRA"), "yes");
	assert_string_equal(value(e, "USER"), "joe");
	assert_string_equal(value(e, "HOME"), "/h");
	assert_string_equal(value(e, "SENDER"), "s@x");
	assert_string_equal(value(e, "NEWSENDER"), "n@x");
	assert_string_equal(value(e, "RECIPIENT"), "joe-a-b-c-d@m.x.y.test");
	assert_string_equal(value(e, "LOCAL"), "joe-a-b-c-d");
	assert_string_equal(value(e, "EXT"), "a-b-c-d");
	assert_string_equal(value(e, "EXT2"), "b-c-d");
	assert_string_equal(value(e, "EXT3"), "c-d");
	assert_string_equal(value(e, "EXT4"), "d");
	assert_string_equal(value(e, "HOST"), "m.x.y.test");
	assert_string_equal(value(e, "HOST2"), "m.x.y");
	assert_string_equal(value(e, "HOST3"), "m.x");
	assert_string_equal(value(e, "HOST4"), "m");
	assert_string_equal(value(e, "DEFAULT"), "d");
	assert_string_equal(value(e, "DTLINE"), "Delivered-To: joe-a-b-c-d@m.x.y.test\n");
	assert_string_equal(value(e, "RPLINE"), "Return-Path: <s@x>\n");
	assert_string_equal(value(e, "UFLINE"), "From s@x Sat Nov 21 10:06:07 2026\n");
	mailvars_free(e);

	v.ext = "a";
	v.host = "localhost";
	v.default_set = true;
	v.default_part = STR("a");
	e = mailvars_environment(&v, inherited);
	assert_string_equal(value(e, "EXT2"), "");
	assert_string_equal(value(e, "EXT4"), "");
	assert_string_equal(value(e, "HOST4"), "localhost");
	assert_string_equal(value(e, "DEFAULT"), "a");
	mailvars_free(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_of_a_delivery),
		cmocka_unit_test(environment_of_programs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "users/pw2u.h"

/* The owner of "/h/N" is N; "/gone" does not exist, "/trouble" cannot be examined. */
static int fake_stat(const char *path, struct stat *st)
{
	uint64_t uid = 0;

	errno = strcmp(path, "/gone") == 0 ? ENOENT : EIO;
	if (!str_starts(str_of(path), STR("/h/")) || !str_to_u64(str_of(path + 3), &uid))
		return -1;
	*st = (struct stat){ .st_uid = (uid_t)uid };
	return 0;
}

#define ALIAS_LINE "alias:x:5:50::/h/5:\n"
#define ALIAS_OUT "+:alias:5:50:/h/5:-::\n=alias:alias:5:50:/h/5:::\n+alias-:alias:5:50:/h/5:-::\n"

static struct pw2u_rules rules(void)
{
	return (struct pw2u_rules){ .break_char = '-', .stat = fake_stat };
}

static struct pw2u_file file(struct str text)
{
	return (struct pw2u_file){ true, text };
}

static void gives(struct str passwd, struct pw2u_rules r, const char *want)
{
	struct buf out = BUF_INIT(10000);
	struct err e;

	assert_true(pw2u_convert(passwd, &r, &out, &e));
	assert_string_equal(buf_cstr(&out), want);
	buf_free(&out);
}

static void fails(struct str passwd, struct pw2u_rules r, const char *why)
{
	struct buf out = BUF_INIT(10000);
	struct err e;

	assert_false(pw2u_convert(passwd, &r, &out, &e));
	assert_string_equal(e.text, why);
	buf_free(&out);
}

static void accounts_get_their_names(void **state)
{
	struct pw2u_rules r = rules();

	(void)state;
	gives(STR(ALIAS_LINE "joe:x:7:8:Joe:/h/7:/bin/sh\n"), r,
	      ALIAS_OUT "=joe:joe:7:8:/h/7:::\n+joe-:joe:7:8:/h/7:-::\n.\n");
	r.break_char = '+';
	r.slash = true;
	gives(STR(ALIAS_LINE), r,
	      "+:alias:5:50:/h/5:-/::\n=alias:alias:5:50:/h/5:::\n+alias+:alias:5:50:/h/5:-/::\n.\n");
	r.no_extension = true;
	gives(STR(ALIAS_LINE), r, "+:alias:5:50:/h/5:-/::\n=alias:alias:5:50:/h/5:::\n.\n");
}

static void some_accounts_get_no_mail(void **state)
{
	struct pw2u_rules r = rules();

	(void)state;
	gives(STR(ALIAS_LINE "root:x:0:0::/h/0:\nshort:x:7:7::/h/7\nbad:x:y:7::/h/7:\na\0b:x:7:7::/h/7:\n"
			     "gone:x:7:7::/gone:\nother:x:7:7::/h/8:\nUpper:x:7:7::/h/7:\n"),
	      r, ALIAS_OUT ".\n");
	r.uppercase = true;
	gives(STR(ALIAS_LINE "Up:x:7:7::/h/7:\n"), r, ALIAS_OUT "=Up:Up:7:7:/h/7:::\n+Up-:Up:7:7:/h/7:-::\n.\n");
	r.homes = PW2U_ANY;
	gives(STR(ALIAS_LINE "g:x:7:7::/gone:\n"), r, ALIAS_OUT "=g:g:7:7:/gone:::\n+g-:g:7:7:/gone:-::\n.\n");
}

static void says_what_is_missing(void **state)
{
	struct pw2u_rules r = rules();

	(void)state;
	fails(STR(""), r, "unable to find alias user");
	fails(STR(ALIAS_LINE "x:x:7:7::/trouble:\n"), r, "unable to stat /trouble: input/output error");
	r.homes = PW2U_PRESENT;
	fails(STR(ALIAS_LINE "x:x:7:7::/gone:\n"), r, "unable to stat /gone: file does not exist");
	r.subusers = file(STR("s:nobody:p:\n"));
	fails(STR(ALIAS_LINE), r, "unable to find nobody user for subuser");
}

static void files_change_the_result(void **state)
{
	struct pw2u_rules r = rules();

	(void)state;
	r.exclude = file(STR("joe\n"));
	gives(STR(ALIAS_LINE "joe:x:7:8::/h/7:\n"), r, ALIAS_OUT ".\n");
	r = rules();
	r.include = file(STR("# these\nalias\n"));
	gives(STR(ALIAS_LINE "joe:x:7:8::/h/7:\n"), r, ALIAS_OUT ".\n");
	r = rules();
	r.mailnames = file(STR("joe:j.d:jd::\n"));
	gives(STR(ALIAS_LINE "joe:x:7:8::/h/7:\n"), r,
	      ALIAS_OUT "=j.d:joe:7:8:/h/7:::\n+j.d-:joe:7:8:/h/7:-::\n"
			"=jd:joe:7:8:/h/7:::\n+jd-:joe:7:8:/h/7:-::\n.\n");
	r = rules();
	r.subusers = file(STR("sub:alias:pre:\n\nshort:alias:pre\nbad\n#c:alias:x:more\n"));
	r.append = file(STR("=x:y:1:2:/z:::"));
	gives(STR(ALIAS_LINE), r,
	      ALIAS_OUT "=sub:alias:5:50:/h/5:-:pre:\n+sub-:alias:5:50:/h/5:-:pre-:\n"
			"=#c:alias:5:50:/h/5:-:x:\n+#c-:alias:5:50:/h/5:-:x-:\n=x:y:1:2:/z:::\n.\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accounts_get_their_names),
		cmocka_unit_test(some_accounts_get_no_mail),
		cmocka_unit_test(says_what_is_missing),
		cmocka_unit_test(files_change_the_result),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "inject/inject.h"
#include "inject/setup.h"
#include "sys/io.h"
#include "testing/testplace.h"

static int set_up(void **state)
{
	clearenv();
	testplace_begin_home(state);
	testplace_putz("control/me", "a.test\n");
	setenv("QMAILUSER", "joe", 1);
	return 0;
}

/* Puts a file with that text, or an empty one, in place of a descriptor; returns the old one. */
static int replace(int fd, struct str text)
{
	FILE *f = tmpfile();
	int old = dup(fd);

	assert_non_null(f);
	assert_int_equal(io_write_all(fileno(f), text.p, text.n), 0);
	assert_int_equal(lseek(fileno(f), 0, SEEK_SET), 0);
	assert_int_equal(dup2(fileno(f), fd), fd);
	assert_int_equal(fclose(f), 0);
	return old;
}

static bool print(struct str message, const char *const *recipients, struct buf *out, struct err *e)
{
	struct inject_request request = { .print = true, .sender = "", .recipients = recipients };
	int in = replace(0, message), old = replace(1, STR(""));
	bool ok = inject_run(&request, e);

	assert_int_equal(lseek(1, 0, SEEK_SET), 0);
	buf_clear(out);
	assert_true(io_read_rest(1, out));
	dup2(in, 0);
	dup2(old, 1);
	close(in);
	close(old);
	return ok;
}

static void a_message_is_completed(void **state)
{
	const char *const none[] = { NULL };
	struct buf out = BUF_INIT(10000);
	struct err e;

	(void)state;
	assert_true(print(STR("Date: d\nMessage-ID: i\nTo: x\n\nb"), none, &out, &e));
	assert_string_equal(buf_cstr(&out), "Return-Path: <>\nFrom: joe@a.test\nDate: d\nMessage-ID: i\n"
					    "To: x@a.test\n\nb\n");
	buf_free(&out);
}

static void faults_are_told(void **state)
{
	const char *const bad[] = { "a@(", NULL }, *const none[] = { NULL };
	struct buf out = BUF_INIT(10000);
	struct err e;

	(void)state;
	assert_false(print(STR("X: y\n"), bad, &out, &e));
	assert_string_equal(e.text, "unable to parse address: a@(");
	assert_false(print(STR("From: (\n"), none, &out, &e));
	assert_string_equal(e.text, "unable to parse this line:\nFrom: (");
	assert_int_equal(e.kind, ERR_PERMANENT);
	assert_int_equal(out.n, 0);
	buf_free(&out);
}

static void settings_come_from_files_and_environment(void **state)
{
	struct setup s;
	struct err e;

	(void)state;
	setenv("QMAILINJECT", "cZr", 1);
	setenv("QMAILIDHOST", "id.test", 1);
	assert_true(setup_read(&s, &e));
	assert_true(s.letters.name_as_comment && s.letters.sender_per_recipient);
	assert_false(s.letters.delete_from);
	assert_true(str_eq(s.facts.idhost, STR("id.test")));
	assert_true(str_eq(buf_str(&s.rules.host_text), STR("@a.test")));
	assert_string_equal(s.who.user, "joe");
	assert_null(s.facts.followup);
	setup_free(&s);

	setenv("QMAILMFTFILE", testplace(), 1);
	assert_false(setup_read(&s, &e));
	assert_int_equal(e.kind, ERR_TEMPORARY);
	assert_true(str_starts(str_of(e.text), STR("read error: ")));
	setup_free(&s);
	unsetenv("QMAILMFTFILE");
	unsetenv("QMAILINJECT");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_is_completed),
		cmocka_unit_test(faults_are_told),
		cmocka_unit_test(settings_come_from_files_and_environment),
	};

	return cmocka_run_group_tests(tests, set_up, testplace_end);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <fcntl.h>

#include <cmocka.h>

#include "cdb/cdbmaker.h"
#include "serving/admission.h"
#include "testing/testplace.h"

static const char path[] = "rules.cdb", tmp[] = "rules.tmp";

static void write_rule(struct str value)
{
	struct cdbmaker m;
	struct err e;

	assert_true(cdbmaker_start(&m, AT_FDCWD, path, tmp, 0644, &e));
	assert_true(cdbmaker_add(&m, STR(""), value, &e));
	assert_true(cdbmaker_finish(&m, &e));
}

static void prepare(void *ctx)
{
	setenv("WHO", ctx, 1);
	setenv("WHERE", "here", 1);
}

static enum access ask(struct admission *a)
{
	struct rule_client c = { .ip = STR("10.0.0.1") };
	char who[] = "client";
	struct err e;

	return admission_ask(a, &c, prepare, who, &e);
}

static void each_client_has_its_own_environment(void **state)
{
	struct admission a = ADMISSION_INIT;
	struct connlimit two = { .from_client = 2 };
	struct err e;

	(void)state;
	setenv("KEPT", "before", 1);
	setenv("WHO", "nobody", 1);
	assert_true(admission_option(&a, path, &e));
	assert_false(admission_open(&a, "none", &e));
	write_rule(STR("+KEPT=changed\0+NEW=1\0+WHERE=there\0+MAXCONNIP=1\0"));
	assert_true(admission_open(&a, "none", &e));
	assert_int_equal(ask(&a), ACCESS_ALLOWED);
	assert_string_equal(getenv("KEPT"), "changed");
	assert_string_equal(getenv("NEW"), "1");
	assert_string_equal(getenv("WHO"), "client");
	assert_string_equal(getenv("WHERE"), "there");
	assert_false(admission_within(&two));
	write_rule(STR("+WHO\0"));
	assert_int_equal(ask(&a), ACCESS_ALLOWED);
	assert_string_equal(getenv("KEPT"), "before");
	assert_null(getenv("NEW"));
	assert_null(getenv("WHO"));
	assert_string_equal(getenv("WHERE"), "here");
	assert_true(admission_within(&two));
	write_rule(STR("D\0"));
	assert_int_equal(ask(&a), ACCESS_DENIED);
	/* The array that it was is gone with it. */
	environ = NULL;
	admission_close(&a);
}

static void relative_paths_stay_where_they_were(void **state)
{
	struct admission a = ADMISSION_INIT;
	struct err e;

	(void)state;
	assert_int_equal(chdir("/usr"), 0);
	assert_true(admission_option(&a, "x/rules.cdb", &e));
	assert_string_equal(a.path, "/usr/x/rules.cdb");
	assert_string_equal(a.directory, "/usr/x");
	admission_close(&a);
	assert_true(admission_option(&a, "/rules.cdb", &e));
	assert_string_equal(a.directory, "/");
	admission_close(&a);
	assert_false(admission_option(&a, "", &e));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_client_has_its_own_environment),
		cmocka_unit_test(relative_paths_stay_where_they_were),
	};

	return cmocka_run_group_tests(tests, testplace_begin, testplace_end);
}

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
#include "netrules/accessrules.h"
#include "testing/testplace.h"

static const char path[] = "rules.cdb", tmp[] = "rules.tmp";

static void write_rule(struct str key, struct str value)
{
	struct cdbmaker m;
	struct err e;

	assert_true(cdbmaker_start(&m, AT_FDCWD, path, tmp, 0644, &e));
	assert_true(cdbmaker_add(&m, key, value, &e));
	assert_true(cdbmaker_finish(&m, &e));
}

static void note(void *ctx, struct str name, struct str value)
{
	struct buf *b = ctx;

	if (value.p)
		buf_addf(b, "%.*s=%.*s;", STR_ARG(name), STR_ARG(value));
	else
		buf_addf(b, "-%.*s;", STR_ARG(name));
}

/* The answer for 10.0.0.1, and what it sets. */
static enum access ask(const struct accessrules *r, const char *sets)
{
	struct rule_client c = { .ip = STR("10.0.0.1") };
	struct buf out = BUF_INIT(1000);
	struct err e;
	enum access answer = accessrules_ask(r, &c, note, &out, &e);

	assert_string_equal(buf_cstr(&out), sets);
	buf_free(&out);
	return answer;
}

static void rules_are_read_again(void **state)
{
	struct accessrules r = ACCESSRULES_INIT;

	(void)state;
	assert_int_equal(ask(&r, ""), ACCESS_ALLOWED);
	assert_false(accessrules_refresh(&r));
	r.path = path;
	accessrules_refresh(&r);
	assert_int_equal(ask(&r, ""), ACCESS_TROUBLE);
	r.may_miss = true;
	assert_int_equal(ask(&r, ""), ACCESS_ALLOWED);
	write_rule(STR("10."), STR("+A=1\0+B\0+C=\0"));
	assert_true(accessrules_refresh(&r));
	assert_false(accessrules_refresh(&r));
	assert_int_equal(ask(&r, "A=1;-B;C=;"), ACCESS_ALLOWED);
	write_rule(STR("10.0.0.1"), STR("D\0+A=2\0"));
	assert_true(accessrules_refresh(&r));
	assert_int_equal(ask(&r, "A=2;"), ACCESS_DENIED);
	write_rule(STR("11."), STR("D\0"));
	accessrules_refresh(&r);
	assert_int_equal(ask(&r, ""), ACCESS_ALLOWED);
	assert_int_equal(truncate(path, 100), 0);
	assert_true(accessrules_refresh(&r));
	assert_int_equal(ask(&r, ""), ACCESS_TROUBLE);
	cdbfile_close(&r.file);
}

static void variables_can_be_looked_for(void **state)
{
	struct accessrules r = ACCESSRULES_INIT;

	(void)state;
	assert_false(accessrules_mention(&r, "A"));
	r.path = path;
	write_rule(STR("10."), STR("+AB=1\0+B=A\0"));
	assert_false(accessrules_mention(&r, "A"));
	assert_true(accessrules_mention(&r, "AB"));
	assert_true(accessrules_mention(&r, "B"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_are_read_again),
		cmocka_unit_test(variables_can_be_looked_for),
	};

	return cmocka_run_group_tests(tests, testplace_begin, testplace_end);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "aliases/forwardfile.h"

static struct rewrite_rules rules;

static int begin(void **state)
{
	struct err e;

	(void)state;
	return rewrite_init(&rules, STR("host.test"), STR("dom.test"), STR("plus.test"), &e) ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	rewrite_free(&rules);
	return 0;
}

/* "D" for direct delivery, "|command" and "&address". */
static void asks_for(struct str text, const char *want)
{
	struct forwardfile f = FORWARDFILE_INIT;
	struct buf b = BUF_INIT(1000);
	struct err e;

	assert_true(forwardfile_parse(text, &rules, STR("joe"), STR("h.test"), &f, &e));
	if (f.direct)
		buf_addc(&b, 'D');
	for (size_t i = 0; i < f.programs.n; i++) {
		buf_addc(&b, '|');
		buf_add(&b, addresses_get(&f.programs, i));
	}
	for (size_t i = 0; i < f.addresses.n; i++) {
		buf_addc(&b, '&');
		buf_add(&b, addresses_get(&f.addresses, i));
	}
	assert_string_equal(buf_cstr(&b), want);
	assert_int_equal(forwardfile_empty(&f), *want == 0);
	buf_free(&b);
	forwardfile_free(&f);
}

static void fails(struct str text, const char *why)
{
	struct forwardfile f = FORWARDFILE_INIT;
	struct err e;

	assert_false(forwardfile_parse(text, &rules, STR("joe"), STR("h.test"), &f, &e));
	assert_string_equal(e.text, why);
	forwardfile_free(&f);
}

static void knows_its_owner(void **state)
{
	(void)state;
	asks_for(STR("joe\n"), "D");
	asks_for(STR("\\joe\n"), "D");
	asks_for(STR("\\JOE, a@b.c\n"), "D&a@b.c");
	asks_for(STR("Joe@H.Test\n"), "D");
	asks_for(STR("joe@other.test\n"), "&joe@other.test");
	asks_for(STR("ann\n"), "&ann@host.test");
}

static void finds_programs_and_addresses(void **state)
{
	(void)state;
	asks_for(STR("\"|vacation joe\", a@b\n# c\n|x\nName <d@e.f>\n"), "|vacation joe|x&a@b.dom.test&d@e.f");
	asks_for(STR(""), "");
	asks_for(STR("# only\n\n"), "");
	asks_for(STR("a@b.c"), "&a@b.c");
	asks_for(STR("a@b.c,\n d@e.f\n"), "&a@b.c&d@e.f");
}

static void refuses_what_it_cannot_do(void **state)
{
	(void)state;
	fails(STR("/var/mail/x\n"), "file delivery /var/mail/x not supported");
	fails(STR("a@b.c\n\"|p\n"), "unable to parse this line: \"|p");
	fails(STR("| p\n"), "a program is missing behind '|'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_its_owner),
		cmocka_unit_test(finds_programs_and_addresses),
		cmocka_unit_test(refuses_what_it_cannot_do),
	};

	return cmocka_run_group_tests(tests, begin, end);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "inject/identity.h"

static const char *environment[20];

static char *variable(const char *name)
{
	struct str wanted = str_of(name), before, after;

	for (size_t i = 0; environment[i]; i++)
		if (str_cut(str_of(environment[i]), '=', &before, &after) && str_eq(before, wanted))
			return (char *)after.p;
	return NULL;
}

static void the_first_variable_wins(void **state)
{
	struct identity who;

	(void)state;
	environment[0] = NULL;
	who = identity_find(variable);
	assert_string_equal(who.user, "anonymous");
	assert_string_equal(who.sender_user, "anonymous");
	assert_false(who.sender_null);
	assert_null(who.host);
	assert_null(who.name);
	assert_null(who.sender_host);

	environment[0] = "LOGNAME=l";
	environment[1] = "NAME=n";
	environment[2] = "MAILHOST=h";
	environment[3] = NULL;
	who = identity_find(variable);
	assert_string_equal(who.user, "l");
	assert_string_equal(who.name, "n");
	assert_string_equal(who.sender_host, "h");

	environment[3] = "USER=u";
	environment[4] = "MAILUSER=m";
	environment[5] = "MAILNAME=mn";
	environment[6] = "QMAILHOST=qh";
	environment[7] = "QMAILSUSER=";
	environment[8] = "QMAILSHOST=sh";
	environment[9] = NULL;
	who = identity_find(variable);
	assert_string_equal(who.user, "m");
	assert_string_equal(who.name, "mn");
	assert_string_equal(who.host, "qh");
	assert_true(who.sender_null);
	assert_string_equal(who.sender_host, "sh");

	environment[9] = "QMAILUSER=q";
	environment[10] = "QMAILNAME=qn";
	environment[11] = NULL;
	who = identity_find(variable);
	assert_string_equal(who.user, "q");
	assert_string_equal(who.name, "qn");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(the_first_variable_wins) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "serving/listening.h"
#include "testing/testplace.h"

static void put(const char *name, const char *text)
{
	char path[200];

	snprintf(path, sizeof path, "control/%s", name);
	testplace_putz(path, text);
}

/* How many sockets it opens; -1: it does not. */
static int opens(const struct str *addresses, size_t n)
{
	const struct listening_place place = { "test", addresses, n, "list", "127.0.0.1:0" };
	struct listener l = LISTENER_INIT;
	struct err e;
	int sockets = listening_open(&l, &place, &e) ? (int)l.nfds : -1;

	listener_close(&l);
	return sockets;
}

static void arguments_come_before_the_file(void **state)
{
	const struct str two[] = { STR("127.0.0.1:0"), STR("127.0.0.2:0") }, bad[] = { STR("127.0.0.1:0"), STR("x") };

	(void)state;
	assert_int_equal(opens(NULL, 0), 1);
	put("list", "127.0.0.1:0\n127.0.0.1:0\n#\n127.0.0.2:0\n");
	assert_int_equal(opens(NULL, 0), 3);
	assert_int_equal(opens(two, 2), 2);
	assert_int_equal(opens(bad, 2), -1);
	put("list", "\n");
	assert_int_equal(opens(NULL, 0), -1);
	assert_int_equal(opens(two, 1), 1);
}

static void limits_have_a_limit(void **state)
{
	struct listener_config c = { 0 };
	struct err e;

	(void)state;
	assert_true(listening_limits(&c, "many", &e));
	assert_int_equal(c.max_children, 100);
	assert_int_equal(c.max_per_client, 20);
	put("many", "99999999999999999999999\n");
	put("concurrencyperclient", "3\n");
	assert_true(listening_limits(&c, "many", &e));
	assert_int_equal(c.max_children, 10000);
	assert_int_equal(c.max_per_client, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arguments_come_before_the_file),
		cmocka_unit_test(limits_have_a_limit),
	};

	return cmocka_run_group_tests(tests, testplace_begin_home, testplace_end);
}

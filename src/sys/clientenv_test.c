#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sys/clientenv.h"

static void one_server_tells(void **state)
{
	(void)state;
	unsetenv("TCPREMOTEIP");
	unsetenv("TCPREMOTEHOST");
	unsetenv("SSLREMOTEIP");
	assert_null(clientenv("REMOTEIP"));
	assert_true(str_eq(clientenv_str("REMOTEIP", "unknown"), STR("unknown")));
	setenv("SSLREMOTEIP", "192.0.2.1", 1);
	setenv("SSLREMOTEHOST", "by.tls", 1);
	assert_string_equal(clientenv("REMOTEIP"), "192.0.2.1");
	assert_string_equal(clientenv("REMOTEHOST"), "by.tls");
	setenv("TCPREMOTEIP", "192.0.2.2", 1);
	assert_string_equal(clientenv("REMOTEIP"), "192.0.2.2");
	/* tcpserver found no name. */
	assert_null(clientenv("REMOTEHOST"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_server_tells),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

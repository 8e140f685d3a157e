#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "filter/childenv.h"

static void changes_are_made_in_order(void **state)
{
	struct childenv env;

	(void)state;
	setenv("TESTED", "before", 1);
	env = childenv_start();
	assert_string_equal(childenv_get(&env, "TESTED"), "before");
	childenv_set(&env, "TESTED", "after");
	assert_string_equal(childenv_get(&env, "TESTED"), "after");
	childenv_set_str(&env, STR("TESTED"), STR("last"));
	assert_string_equal(childenv_get(&env, "TESTED"), "last");
	assert_null(childenv_get(&env, "TEST"));
	childenv_set(&env, "EMPTY", "");
	assert_string_equal(childenv_get(&env, "EMPTY"), "");
	childenv_set(&env, "TESTED", NULL);
	childenv_set(&env, "TESTED", NULL);
	assert_null(childenv_get(&env, "TESTED"));
	assert_string_equal(childenv_get(&env, "EMPTY"), "");
	assert_string_equal(getenv("TESTED"), "before");
	childenv_free(&env);
}

/* The exit code of `program -c SCRIPT` run in a child, or 100 + errno when it cannot be run. */
static int run(const struct childenv *env, const char *program, const char *script)
{
	char *argv[] = { (char *)program, (char *)"-c", (char *)script, NULL };
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		childenv_run(env, program, argv);
		_exit(100 + errno);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WEXITSTATUS(status);
}

static void a_list_sets_only_what_it_may(void **state)
{
	struct childenv env = childenv_start();

	(void)state;
	childenv_set_list(&env, STR("SSL_"),
			  STR("SSL_A=1\0LD_PRELOAD=/x\0SSL_B=\0PATH=/x\0SSL=x\0SSL_C\0=x\0SSL_D=cut"));
	assert_string_equal(childenv_get(&env, "SSL_A"), "1");
	assert_string_equal(childenv_get(&env, "SSL_B"), "");
	assert_null(childenv_get(&env, "SSL"));
	assert_null(childenv_get(&env, "SSL_C"));
	assert_null(childenv_get(&env, "SSL_D"));
	assert_null(childenv_get(&env, "LD_PRELOAD"));
	assert_string_not_equal(childenv_get(&env, "PATH"), "/x");
	childenv_free(&env);
}

static void programs_are_found_in_the_path_of_before(void **state)
{
	struct childenv env;

	(void)state;
	setenv("PATH", "/nowhere:/bin", 1);
	env = childenv_start();
	childenv_set(&env, "PATH", "/elsewhere");
	childenv_set(&env, "CODE", "7");
	assert_int_equal(run(&env, "sh", "test $PATH = /elsewhere && exit $CODE"), 7);
	assert_int_equal(run(&env, "/bin/sh", "exit $CODE"), 7);
	assert_int_equal(run(&env, "no-such-program", ""), 100 + ENOENT);
	/* What is no directory ends the search, as in the originals. */
	setenv("PATH", "/etc/passwd:/bin", 1);
	assert_int_equal(run(&env, "sh", "exit 3"), 100 + ENOTDIR);
	/* What may not be executed does not end the search, but is what is reported. */
	setenv("PATH", "/etc:/nowhere", 1);
	assert_int_equal(run(&env, "passwd", ""), 100 + EACCES);
	unsetenv("PATH");
	assert_int_equal(run(&env, "sh", "exit 3"), 3);
	childenv_free(&env);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changes_are_made_in_order),
		cmocka_unit_test(a_list_sets_only_what_it_may),
		cmocka_unit_test(programs_are_found_in_the_path_of_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "deadhosts/deadhosts.h"
#include "sys/home.h"
#include "sys/unixsock.h"
#include "testing/testplace.h"

static struct buf seen;

static void note(const struct dead_host *h)
{
	buf_addf(&seen, "%.*s %u;", STR_ARG(h->address), h->timeouts);
}

/* One client is served: hosts of these names, or garbage for "?". */
static pid_t serve(const char *const *hosts, size_t n, bool forget)
{
	struct buf packet = BUF_INIT(1000);
	bool asked_to_forget;
	int listener, fd, passed;
	struct err e;
	pid_t pid;

	assert_true(unixsock_listen("run/rspawn", UNIXSOCK_PACKET, 0600, &listener, &e));
	pid = fork();
	if (pid) {
		close(listener);
		return pid;
	}
	while ((fd = unixsock_accept(listener, UNIXSOCK_PACKET)) == -1)
		usleep(1000);
	while (unixsock_recv(fd, &packet, 1000, &passed) == -1)
		usleep(1000);
	if (!dead_get_question(buf_str(&packet), &asked_to_forget) || asked_to_forget != forget)
		_exit(1);
	for (size_t i = 0; i < n; i++) {
		struct dead_host h = { str_of(hosts[i]), 5, (uint32_t)i };

		buf_clear(&packet);
		dead_put_host(&packet, &h);
		if (unixsock_send(fd, *hosts[i] == '?' ? STR("?") : buf_str(&packet), -1) == -1)
			_exit(2);
	}
	_exit(0);
}

static bool ask(const char *const *hosts, size_t n, bool forget)
{
	pid_t pid = serve(hosts, n, forget);
	struct err e;
	int status;
	bool ok;

	seen = BUF_INIT(1000);
	ok = deadhosts_ask(forget, forget ? NULL : note, &e);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	return ok;
}

static void test_answers(void **state)
{
	(void)state;
	assert_true(ask((const char *[]){ "192.0.2.1", "::1", "" }, 3, false));
	assert_string_equal(buf_cstr(&seen), "192.0.2.1 0;::1 1;");
	buf_free(&seen);
	assert_true(ask((const char *[]){ "" }, 1, true));
	/* No end, and an answer that is none. */
	assert_false(ask((const char *[]){ "192.0.2.1" }, 1, false));
	buf_free(&seen);
	assert_false(ask((const char *[]){ "192.0.2.1", "?" }, 2, false));
	buf_free(&seen);
}

static int set_up(void **state)
{
	testplace_begin_home(state);
	testplace_mkdir("run");
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_answers) };

	return cmocka_run_group_tests(tests, set_up, testplace_end);
}

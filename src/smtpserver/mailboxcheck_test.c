/* The check against a scripted qmail-lspawn in a child process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "smtpserver/mailboxcheck.h"
#include "sys/clock.h"
#include "sys/home.h"
#include "sys/unixsock.h"
#include "testing/testplace.h"
#include "wire/recipientproto.h"

static struct route_tables routes;
static struct mailbox_check check;
static int asked; /* what the server heard, one line each, is appended to this file */

static int setup_group(void **state)
{
	struct err e;

	testplace_begin_home(state);
	testplace_mkdir("run");
	testplace_putz("control/me", "a.test\n");
	testplace_putz("control/percenthack", "a.test\n");
	testplace_putz("control/virtualdomains", "v.test:virt\n");
	assert_true(route_load(&routes, &e));
	asked = open("asked", O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	return asked == -1;
}

static int teardown_group(void **state)
{
	route_free(&routes);
	return testplace_end(state);
}

/* What a question is answered with is the first letter of its address. */
static bool reply(int fd, struct str packet)
{
	static const char letters[] = " emau";
	static const char digits[] = "0123456789";
	struct recipient_question q;
	struct recipient_reply r;
	struct buf b = BUF_INIT(RECIPIENT_PACKET_MAX);

	if (!recipient_get_question(packet, &q) || q.address.n == 0)
		_exit(1);
	dprintf(asked, "%.*s\n", STR_ARG(q.address));
	if (*q.address.p == 'x') /* hangs up */
		return false;
	r.id = *q.address.p == 'w' ? q.id + 1 : q.id;
	r.found = (struct recipient_finding){ RECIPIENT_ABSENT, RECIPIENT_ROOM_ANY };
	if (strchr(digits, *q.address.p)) /* so many bytes */
		r.found = (struct recipient_finding){ RECIPIENT_EXISTS, (uint64_t)(*q.address.p - '0') };
	else if (strchr(letters, *q.address.p))
		r.found.answer = (enum recipient_answer)(strchr(letters, *q.address.p) - letters);
	recipient_put_reply(&b, &r);
	return unixsock_send(fd, buf_str(&b), -1) == 0;
}

/* Serves one connection after the other, `questions` on each. */
static void serve(int listenfd, int questions)
{
	for (;;) {
		int fd = accept(listenfd, NULL, NULL), passfd;

		for (int i = 0; i < questions && fd != -1; i++) {
			struct buf b = BUF_INIT(RECIPIENT_PACKET_MAX);

			if (unixsock_recv(fd, &b, RECIPIENT_PACKET_MAX, &passfd) <= 0 || !reply(fd, buf_str(&b)))
				break;
			buf_free(&b);
		}
		close(fd);
	}
}

static pid_t start_server(int questions)
{
	struct err e;
	pid_t pid;
	int fd;

	assert_true(unixsock_listen("run/recipient", UNIXSOCK_PACKET, 0600, &fd, &e));
	fcntl(fd, F_SETFL, 0);
	pid = fork();
	if (pid == 0)
		serve(fd, questions);
	close(fd);
	check = MAILBOX_CHECK_INIT;
	assert_int_equal(ftruncate(asked, 0), 0);
	return pid;
}

static void stop_server(pid_t pid)
{
	mailbox_check_close(&check);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	unlink("run/recipient");
}

static bool absent(const char *address, struct err *e)
{
	return mailbox_look(&check, &routes, str_of(address), 1000, e) == SMTP_MAILBOX_ABSENT;
}

static void heard(const char *want)
{
	char text[1000];
	ssize_t n = pread(asked, text, sizeof text - 1, 0);

	assert_true(n >= 0);
	text[n] = 0;
	assert_string_equal(text, want);
}

static void only_a_certain_no_counts(void **state)
{
	pid_t pid = start_server(100);
	struct err e;

	(void)state;
	assert_false(absent("e@a.test", &e));
	assert_false(absent("m@a.test", &e));
	assert_true(absent("a@a.test", &e));
	assert_false(absent("u@a.test", &e));
	assert_int_equal(e.kind, ERR_NONE);
	stop_server(pid);
}

static void full_mailboxes_are_full_for_what_is_too_large(void **state)
{
	static const struct {
		const char *address;
		uint64_t bytes;
		enum smtp_mailbox want;
	} cases[] = { { "0@a.test", 0, SMTP_MAILBOX_FULL },  { "0@a.test", 1, SMTP_MAILBOX_FULL },
		      { "5@a.test", 0, SMTP_MAILBOX_TAKES }, { "5@a.test", 5, SMTP_MAILBOX_TAKES },
		      { "5@a.test", 6, SMTP_MAILBOX_FULL },  { "e@a.test", UINT64_MAX, SMTP_MAILBOX_TAKES },
		      { "a@a.test", 0, SMTP_MAILBOX_ABSENT } };
	pid_t pid = start_server(100);
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(mailbox_look(&check, &routes, str_of(cases[i].address), cases[i].bytes, &e),
				 cases[i].want);
	stop_server(pid);
}

/* All spellings of an address that qmail-send delivers to the same place are one question. */
static void asks_for_what_would_be_delivered(void **state)
{
	pid_t pid = start_server(100);
	struct err e;

	(void)state;
	assert_true(absent("a", &e));
	assert_true(absent("a%a.test@a.test", &e));
	assert_true(absent("a@A.test", &e));
	assert_false(absent("a%far.test@a.test", &e));
	assert_false(absent("a@far.test", &e));
	assert_true(absent("a@v.test", &e));
	heard("a@a.test\na@a.test\na@A.test\nvirt-a@v.test\n");
	stop_server(pid);
}

static void closed_connection_is_made_again(void **state)
{
	pid_t pid = start_server(1);
	struct err e;

	(void)state;
	for (int i = 0; i < 4; i++) {
		assert_true(absent("a@a.test", &e));
		assert_int_equal(e.kind, ERR_NONE);
	}
	stop_server(pid);
}

static void trouble_refuses_nobody_and_is_told_once(void **state)
{
	pid_t pid = start_server(100);
	struct err e;

	(void)state;
	assert_false(absent("x@a.test", &e));
	assert_int_equal(e.kind, ERR_TEMPORARY);
	/* And nobody is asked for a while. */
	assert_false(absent("a@a.test", &e));
	assert_int_equal(e.kind, ERR_NONE);
	heard("x@a.test\n");
	check.pause = 0;
	assert_false(absent("wrong@a.test", &e));
	assert_int_equal(e.kind, ERR_NONE);
	stop_server(pid);
	check = MAILBOX_CHECK_INIT;
	assert_false(absent("a@a.test", &e));
	assert_int_not_equal(e.kind, ERR_NONE);
}

static void silence_ends(void **state)
{
	pid_t pid = start_server(0);
	int64_t begun = clock_monotonic_ms(), took;
	struct err e;

	(void)state;
	kill(pid, SIGSTOP);
	assert_false(absent("a@a.test", &e));
	took = clock_monotonic_ms() - begun;
	assert_int_equal(e.kind, ERR_TEMPORARY);
	assert_true(took >= MAILBOX_CHECK_MS - 100 && took < MAILBOX_CHECK_MS + 2000);
	assert_false(absent("a@a.test", &e));
	assert_true(clock_monotonic_ms() - begun < took + 1000);
	stop_server(pid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_a_certain_no_counts),
		cmocka_unit_test(full_mailboxes_are_full_for_what_is_too_large),
		cmocka_unit_test(asks_for_what_would_be_delivered),
		cmocka_unit_test(closed_connection_is_made_again),
		cmocka_unit_test(trouble_refuses_nobody_and_is_told_once),
		cmocka_unit_test(silence_ends),
	};

	return cmocka_run_group_tests(tests, setup_group, teardown_group);
}

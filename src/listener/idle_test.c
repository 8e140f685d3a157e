#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/str.h"
#include "listener/idle.h"
#include "listener/listener_fixture.h"
#include "sys/clock.h"

/* A child that waits, writes the port of each client to the connection that it gets, and ends when there are no more.
 */
static pid_t waiting_child(struct idle *i)
{
	pid_t pid = fork();
	struct inetaddr client;
	int fd;

	assert_int_not_equal(pid, -1);
	if (pid)
		return pid;
	idle_become_child(i);
	while (idle_wait(i, &fd, &client)) {
		if (write(fd, &client.port, sizeof client.port) != sizeof client.port)
			_exit(1);
		close(fd);
	}
	_exit(7);
}

static pid_t hear(struct idle *i, int *channel)
{
	for (int n = 0; n < 1000; n++) {
		pid_t pid = idle_hear(i, channel);

		if (pid)
			return pid;
		usleep(10000);
	}
	fail_msg("nobody spoke up");
	return 0;
}

static void must_end(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

static void add_child(struct idle *i, const char *client, pid_t *pid)
{
	struct inetaddr a = address(client);
	int channel;

	*pid = waiting_child(i);
	assert_int_equal(hear(i, &channel), *pid);
	idle_add(i, *pid, &a, channel);
}

/* What the child wrote to the connection, or 0 when it gave it up. */
static unsigned answer(const int pair[2])
{
	uint16_t port = 0;

	close(pair[1]);
	if (read(pair[0], &port, sizeof port) != sizeof port)
		port = 0;
	close(pair[0]);
	return port;
}

static void a_connection_goes_to_a_child_of_the_same_client(void **state)
{
	struct inetaddr same = address("192.0.2.1:77"), other = address("192.0.2.2:77");
	struct idle i;
	int pair[2], channel;
	pid_t pid;

	(void)state;
	idle_open(&i);
	add_child(&i, "192.0.2.1:5", &pid);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(idle_give(&i, pair[1], &other), 0);
	assert_int_equal(i.n, 1);
	assert_int_equal(idle_give(&i, pair[1], &same), pid);
	assert_int_equal(answer(pair), 77);
	/* It has a connection: nobody else gets it until it speaks up again. */
	assert_int_equal(i.n, 0);
	assert_int_equal(idle_give(&i, 0, &same), 0);
	assert_int_equal(hear(&i, &channel), pid);
	close(channel);
	must_end(pid);
	idle_close(&i);
}

static void children_end_when_they_are_let_go(void **state)
{
	struct idle i;
	pid_t old, young, late;
	int64_t between;

	(void)state;
	idle_open(&i);
	add_child(&i, "192.0.2.1:5", &old);
	between = clock_monotonic_ms();
	usleep(5000);
	add_child(&i, "[2001:db8::1]:5", &young);
	idle_expire(&i, between);
	assert_int_equal(i.n, 1);
	must_end(old);
	idle_close(&i);
	must_end(young);
	/* Nobody listens any more. */
	late = waiting_child(&i);
	must_end(late);
}

static void one_too_many_costs_the_longest_idle(void **state)
{
	struct idle i;
	pid_t pids[IDLE_MAX + 1];

	(void)state;
	idle_open(&i);
	for (size_t n = 0; n <= IDLE_MAX; n++)
		add_child(&i, "192.0.2.1:5", &pids[n]);
	must_end(pids[0]);
	assert_int_equal(i.n, IDLE_MAX);
	assert_int_equal(i.waiting[0].pid, pids[1]);
	idle_close(&i);
	for (size_t n = 1; n <= IDLE_MAX; n++)
		must_end(pids[n]);
}

static void a_child_that_died_is_not_given_a_connection(void **state)
{
	struct inetaddr same = address("192.0.2.1:77");
	struct idle i;
	int pair[2];
	pid_t pid;

	(void)state;
	idle_open(&i);
	add_child(&i, "192.0.2.1:5", &pid);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	/* Its end is noticed even before idle_ended. */
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(idle_give(&i, pair[1], &same), 0);
	assert_int_equal(answer(pair), 0);
	add_child(&i, "192.0.2.1:5", &pid);
	idle_ended(&i, pid);
	assert_int_equal(i.n, 0);
	must_end(pid);
	idle_close(&i);
}

static int open_descriptors(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) != -1;
	return n;
}

/* Who sends more descriptors than one must not use up the parent's. */
static void more_descriptors_than_one_are_closed(void **state)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(2 * sizeof(int))];
	} control = { .space = { 0 } };
	const int both[2] = { 0, 1 };
	struct iovec v = { (char[]){ 'i' }, 1 };
	struct msghdr m = {
		.msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control.space
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	struct idle i;
	int before, channel;

	(void)state;
	idle_open(&i);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof both);
	memcpy(CMSG_DATA(c), both, sizeof both);
	before = open_descriptors();
	assert_int_equal(sendmsg(i.child, &m, 0), 1);
	if (idle_hear(&i, &channel) != 0)
		close(channel);
	assert_int_equal(open_descriptors(), before);
	idle_close(&i);
}

/* A process that says nothing of itself cannot get hold of another's connection. */
static void a_report_without_a_channel_is_ignored(void **state)
{
	struct idle i;
	int channel;

	(void)state;
	idle_open(&i);
	assert_int_equal(idle_hear(&i, &channel), 0);
	assert_int_equal(write(i.child, "x", 1), 1);
	assert_int_equal(idle_hear(&i, &channel), 0);
	idle_close(&i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_connection_goes_to_a_child_of_the_same_client),
		cmocka_unit_test(children_end_when_they_are_let_go),
		cmocka_unit_test(one_too_many_costs_the_longest_idle),
		cmocka_unit_test(a_child_that_died_is_not_given_a_connection),
		cmocka_unit_test(a_report_without_a_channel_is_ignored),
		cmocka_unit_test(more_descriptors_than_one_are_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

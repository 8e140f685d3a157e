/*
 * What is given up is gone, what is kept works. Each case runs in a child,
 * since there is no way back; its exit code is 0, or the line that failed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/sandbox.h"
#include "sys/home.h"
#include "testing/testplace.h"

static char home[80], outside[80];

/* In a child: the line is the answer. */
#define MUST(x)                                    \
	do {                                       \
		if (!(x))                          \
			return __LINE__ % 250 + 1; \
	} while (0)
#define MUST_FAIL(x) MUST((x) == -1)

static void write_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0644);

	assert_int_equal(write(fd, "x\n", 2), 2);
	close(fd);
}

static int setup(void **state)
{
	char path[200];

	testplace_begin(state);
	testplace_mkdir("home");
	testplace_mkdir("outside");
	snprintf(home, sizeof home, "%s", testplace_path("home"));
	snprintf(outside, sizeof outside, "%s", testplace_path("outside"));
	setenv("QMAILHOME", home, 1);
	unsetenv("QMAILQUEUE");
	assert_int_equal(chdir(home), 0);
	for (const char *const *d = (const char *const[]){ "control", "queue", "queue/a", "queue/b", "users", NULL };
	     *d; d++)
		assert_int_equal(mkdir(*d, 0755), 0);
	write_file("control/me");
	write_file("queue/a/1");
	write_file("users/assign");
	snprintf(path, sizeof path, "%s/file", outside);
	write_file(path);
	/* Configuration may be kept elsewhere. */
	assert_int_equal(symlink(path, "control/link"), 0);
	return symlink(outside, "etc");
}

static int status_of(int (*act)(void), const struct sandbox_rights *r)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct err e;

		if (!home_enter(&e) || !sandbox_enter(r, &e))
			_exit(255);
		_exit(act());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void check(int (*act)(void), const struct sandbox_rights *r)
{
	int status = status_of(act, r);

	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fail_msg("signal %d, exit code %d (line modulo 250, plus 1)",
			 WIFSIGNALED(status) ? WTERMSIG(status) : 0, WEXITSTATUS(status));
}

static void check_killed(int (*act)(void), const struct sandbox_rights *r)
{
	int status = status_of(act, r);

	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}

static const struct sandbox_rights nothing = { .name = "test" };
static const struct sandbox_rights reader = { .name = "test", .paths = { { "control", SANDBOX_READ } } };
static const struct sandbox_rights writer = { .name = "test", .paths = { { "queue", SANDBOX_WRITE } } };

/* ---- files ---- */

static long landlock_version(void)
{
	return syscall(444, NULL, 0, 1);
}

static int open_only(const char *path, int flags)
{
	return openat(home_dir(), path, flags, 0600);
}

static int read_what_is_named(void)
{
	char c;
	int fd = open_only("control/me", O_RDONLY);

	MUST(fd != -1 && read(fd, &c, 1) == 1);
	MUST(open_only("control", O_RDONLY | O_DIRECTORY) != -1);
	MUST(open_only("control/link", O_RDONLY) != -1);
	MUST_FAIL(open_only("control/me", O_RDWR));
	MUST_FAIL(open_only("control/new", O_WRONLY | O_CREAT));
	MUST_FAIL(open_only("control/me", O_RDONLY | O_TRUNC));
	MUST_FAIL(unlink("control/me"));
	MUST_FAIL(rename("control/me", "control/you"));
	MUST_FAIL(mkdir("control/d", 0700));
	MUST_FAIL(chmod("control/me", 0600));
	MUST_FAIL(symlink("a", "control/b"));
	return 0;
}

static int read_nothing_else(void)
{
	MUST_FAIL(open_only("users/assign", O_RDONLY));
	MUST_FAIL(open_only("queue/a/1", O_RDONLY));
	MUST_FAIL(open_only("queue", O_RDONLY | O_DIRECTORY));
	MUST_FAIL(open_only("control/../users/assign", O_RDONLY));
	MUST_FAIL(open("/etc/passwd", O_RDONLY));
	MUST_FAIL(open("/proc/self/mem", O_RDONLY));
	MUST_FAIL(open("/proc/self/environ", O_RDONLY));
	MUST_FAIL(open("/dev/null", O_WRONLY));
	return 0;
}

static int write_what_is_named(void)
{
	int fd = open_only("queue/a/2", O_RDWR | O_CREAT);

	MUST(fd != -1 && write(fd, "x", 1) == 1 && fdatasync(fd) == 0 && ftruncate(fd, 0) == 0);
	MUST(fallocate(fd, 0, 0, 4096) == 0 || errno == EOPNOTSUPP);
	MUST(mkdir("queue/c", 0700) == 0);
	MUST(rename("queue/a/2", "queue/a/3") == 0);
	MUST(rename("queue/a/3", "queue/b/3") == 0);
	MUST(link("queue/b/3", "queue/c/4") == 0);
	MUST(unlink("queue/b/3") == 0 && unlink("queue/c/4") == 0 && rmdir("queue/c") == 0);
	MUST_FAIL(open_only("control/me", O_RDONLY));
	MUST_FAIL(open_only("control/new", O_WRONLY | O_CREAT));
	MUST_FAIL(rename("queue/a/1", "control/1"));
	MUST_FAIL(link("queue/a/1", "users/1"));
	return 0;
}

/* The directory itself may be a link. */
static int read_through_link(void)
{
	MUST(open_only("etc/file", O_RDONLY) != -1);
	MUST_FAIL(open_only("control/me", O_RDONLY));
	MUST_FAIL(open_only("etc/../home/control/me", O_RDONLY));
	return 0;
}

static void test_files(void **state)
{
	(void)state;
	if (sandbox_is_null() || landlock_version() < 3)
		skip();
	check(read_what_is_named, &reader);
	check(read_nothing_else, &reader);
	check(read_nothing_else, &nothing);
	check(write_what_is_named, &writer);
	check(read_through_link, &(struct sandbox_rights){ .paths = { { "etc", SANDBOX_READ } } });
}

/* Also where the kernel has no Landlock, a program that only reads changes nothing. */
static int change_by_calls(void)
{
	int fd = open_only("control/me", O_RDWR);

	MUST(fd == -1 && errno == ENOSYS);
	MUST(unlink("control/me") == -1 && errno == ENOSYS);
	MUST(rename("control/me", "control/you") == -1 && errno == ENOSYS);
	MUST(open_only("control", O_RDWR | O_TMPFILE) == -1 && errno == ENOSYS);
	return 0;
}

static void test_changes_need_the_right(void **state)
{
	(void)state;
	if (sandbox_is_null())
		skip();
	check(change_by_calls, &reader);
}

/* ---- sockets ---- */

static int no_sockets(void)
{
	MUST_FAIL(socket(AF_INET, SOCK_STREAM, 0));
	MUST_FAIL(socket(AF_INET6, SOCK_DGRAM, 0));
	MUST_FAIL(socket(AF_UNIX, SOCK_STREAM, 0));
	MUST_FAIL(socket(AF_NETLINK, SOCK_RAW, 0));
	MUST_FAIL(socket(AF_PACKET, SOCK_RAW, 0));
	MUST_FAIL(socket(AF_ALG, SOCK_SEQPACKET, 0));
	MUST(accept(0, NULL, NULL) == -1 && errno == ENOSYS);
	return 0;
}

static int only_unix(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = "run" };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	MUST(fd != -1);
	MUST(connect(fd, (void *)&a, sizeof a) == -1 && errno == ENOENT);
	MUST_FAIL(bind(fd, (void *)&a, sizeof a));
	MUST_FAIL(socket(AF_INET, SOCK_STREAM, 0));
	MUST_FAIL(socket(AF_NETLINK, SOCK_RAW, 0));
	return 0;
}

static int only_internet(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), udp = socket(AF_INET, SOCK_DGRAM, 0);

	MUST(tcp != -1 && udp != -1);
	MUST(bind(udp, (void *)&a, sizeof a) == 0);
	a.sin_port = htons(1);
	MUST(connect(tcp, (void *)&a, sizeof a) == -1 && (errno == ECONNREFUSED || errno == EINPROGRESS));
	MUST_FAIL(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
	MUST_FAIL(socket(AF_UNIX, SOCK_STREAM, 0));
	MUST_FAIL(listen(tcp, 1));
	return 0;
}

static int interfaces(void)
{
	struct ifaddrs *all;

	MUST(getifaddrs(&all) == 0);
	freeifaddrs(all);
	MUST_FAIL(socket(AF_NETLINK, SOCK_RAW, 9 /* audit */));
	MUST_FAIL(socket(AF_INET, SOCK_DGRAM, 0));
	return 0;
}

static void test_sockets(void **state)
{
	(void)state;
	if (sandbox_is_null())
		skip();
	check(no_sockets, &nothing);
	check(only_unix, &(struct sandbox_rights){ .may = SANDBOX_UNIX });
	check(only_internet, &(struct sandbox_rights){ .may = SANDBOX_INTERNET });
	check(interfaces, &(struct sandbox_rights){ .may = SANDBOX_INTERFACES });
}

/* A socket that was open before cannot be connected over TCP either. */
static int inherited_socket;

static int use_inherited_socket(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) }, .sin_port = htons(1) };

	MUST(connect(inherited_socket, (void *)&a, sizeof a) == -1 && errno != ECONNREFUSED);
	return 0;
}

static void test_inherited_socket(void **state)
{
	(void)state;
	if (sandbox_is_null() || landlock_version() < 4)
		skip();
	inherited_socket = socket(AF_INET, SOCK_STREAM, 0);
	check(use_inherited_socket, &nothing);
	check(use_inherited_socket, &(struct sandbox_rights){ .may = SANDBOX_UNIX });
	close(inherited_socket);
}

/* ---- processes ---- */

static int no_processes(void)
{
	pthread_t t;

	MUST_FAIL(fork());
	MUST(pthread_create(&t, NULL, (void *(*)(void *))(void *)abort, NULL) != 0);
	MUST_FAIL(kill(getppid(), 0));
	MUST_FAIL((int)syscall(SYS_tgkill, getppid(), getppid(), 0));
	return 0;
}

static int children(void)
{
	int status;
	pid_t pid = fork();

	MUST(pid != -1);
	if (pid == 0)
		for (;;)
			pause();
	MUST(kill(pid, SIGTERM) == 0 && waitpid(pid, &status, 0) == pid);
	MUST(WIFSIGNALED(status));
	MUST_FAIL((int)syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0));
	return 0;
}

static int signal_parent(void)
{
	MUST(kill(getppid(), 0) == -1 && errno == EPERM);
	return 0;
}

static void *set_flag(void *arg)
{
	*(int *)arg = 1;
	return NULL;
}

static int threads(void)
{
	int flag = 0;
	pthread_t t;

	MUST(pthread_create(&t, NULL, set_flag, &flag) == 0 && pthread_join(t, NULL) == 0 && flag == 1);
	MUST_FAIL(fork());
	return 0;
}

static void test_processes(void **state)
{
	(void)state;
	if (sandbox_is_null())
		skip();
	check(no_processes, &nothing);
	check(children, &(struct sandbox_rights){ .may = SANDBOX_FORK });
	check(threads, &(struct sandbox_rights){ .may = SANDBOX_THREADS });
	if (landlock_version() >= 6)
		check(signal_parent, &(struct sandbox_rights){ .may = SANDBOX_FORK });
}

static int run_program(void)
{
	execl("/bin/true", "true", (char *)NULL);
	return 1;
}

static int trace(void)
{
	ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
	return 1;
}

static int mount_something(void)
{
	mount("none", "/tmp", "tmpfs", 0, NULL);
	return 1;
}

static int new_spaces(void)
{
	unshare(CLONE_NEWUSER);
	return 1;
}

static int keys(void)
{
	syscall(SYS_keyctl, 0, 0, 0, 0, 0);
	return 1;
}

static int make_device(void)
{
	mknod("queue/device", S_IFCHR | 0600, 0);
	return 1;
}

static int io_ring(void)
{
	syscall(SYS_io_uring_setup, 1, NULL);
	return 1;
}

static int bpf(void)
{
	syscall(SYS_bpf, 0, NULL, 0);
	return 1;
}

static int read_others_memory(void)
{
	syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0);
	return 1;
}

static void test_intruders_are_ended(void **state)
{
	int (*const acts[])(void) = { run_program, trace, mount_something,   new_spaces, keys, make_device,
				      io_ring,     bpf,   read_others_memory };
	/* The most that a program has. */
	const struct sandbox_rights r = { .may = SANDBOX_UNIX | SANDBOX_INTERNET | SANDBOX_ACCEPT | SANDBOX_FORK |
						 SANDBOX_THREADS,
					  .paths = { { "queue", SANDBOX_WRITE } } };

	(void)state;
	if (sandbox_is_null())
		skip();
	for (size_t i = 0; i < sizeof acts / sizeof *acts; i++)
		check_killed(acts[i], &r);
}

/* A call that nobody knows yet must look like one that the kernel has not got. */
static int unknown_call(void)
{
	MUST(syscall(100000) == -1 && errno == ENOSYS);
	MUST(syscall(435 /* clone3 */, NULL, 0) == -1 && errno == ENOSYS);
	return 0;
}

static int abort_now(void)
{
	abort();
}

static void test_unknown_calls_are_absent(void **state)
{
	int status;

	(void)state;
	if (sandbox_is_null())
		skip();
	check(unknown_call, &nothing);
	status = status_of(abort_now, &nothing);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

/* ---- systems that offer less ---- */

/* As a container does it that knows nothing of these calls. */
static bool forbid(const char *name, int error)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	bool ok = seccomp_rule_add(ctx, SCMP_ACT_ERRNO((unsigned)error), seccomp_syscall_resolve_name(name), 0) == 0 &&
		  seccomp_load(ctx) == 0;

	seccomp_release(ctx);
	return ok;
}

/* What sandbox_enter writes to the log, as one string. */
static const char *enter_and_listen(const struct sandbox_rights *r)
{
	static char text[1000];
	struct err e;
	int fds[2];
	ssize_t n;

	if (pipe2(fds, O_NONBLOCK) == -1 || dup2(fds[1], 2) == -1 || !home_enter(&e) || !sandbox_enter(r, &e))
		return "failed";
	n = read(fds[0], text, sizeof text - 1);
	text[n > 0 ? n : 0] = 0;
	return text;
}

static int without_landlock(void)
{
	MUST(forbid("landlock_create_ruleset", ENOSYS));
	MUST(strcmp(enter_and_listen(&reader), "test: warning: this system offers no Landlock; running without\n") ==
	     0);
	MUST(open_only("control/me", O_RDONLY) != -1);
	return change_by_calls();
}

static int without_seccomp(void)
{
	MUST(forbid("seccomp", EPERM));
	MUST(strcmp(enter_and_listen(&reader),
		    "test: warning: this system offers no seccomp filters; running without\n") == 0);
	return read_nothing_else();
}

static int with_everything(void)
{
	MUST(strcmp(enter_and_listen(&reader), "") == 0);
	return 0;
}

static void test_less_is_said(void **state)
{
	const struct sandbox_rights all = { .may = SANDBOX_PROGRAMS };

	(void)state;
	if (sandbox_is_null() || landlock_version() < 3)
		skip();
	check(without_landlock, &all);
	check(without_seccomp, &all);
	check(with_everything, &all);
}

/* ---- memory ---- */

static int no_new_code(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	MUST(p != MAP_FAILED);
	MUST_FAIL(mprotect(p, 4096, PROT_READ | PROT_EXEC));
	MUST(mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
	return 0;
}

static int limits(void)
{
	struct rlimit lim;
	void *most = malloc(200 << 20), *little = malloc(1 << 20);

	MUST(most == NULL && little != NULL);
	free(little);
	MUST(getrlimit(RLIMIT_CORE, &lim) == 0 && lim.rlim_cur == 0 && lim.rlim_max == 0);
	MUST(getrlimit(RLIMIT_DATA, &lim) == 0 && lim.rlim_max == 100 * SANDBOX_MIB);
	return 0;
}

static int lower_limit_stays(void)
{
	struct rlimit lim;

	MUST(getrlimit(RLIMIT_DATA, &lim) == 0 && lim.rlim_cur == 50 * SANDBOX_MIB);
	return 0;
}

static void test_memory(void **state)
{
	struct rlimit before, lower;

	(void)state;
	if (sandbox_is_null())
		skip();
	check(no_new_code, &nothing);
	check(limits, &(struct sandbox_rights){ .memory = 100 * SANDBOX_MIB });
	getrlimit(RLIMIT_DATA, &before);
	lower = before;
	lower.rlim_cur = 50 * SANDBOX_MIB;
	setrlimit(RLIMIT_DATA, &lower);
	check(lower_limit_stays, &(struct sandbox_rights){ .memory = 100 * SANDBOX_MIB });
	setrlimit(RLIMIT_DATA, &before);
}

/* ---- programs ---- */

static void test_programs(void **state)
{
	const struct sandbox_rights always = { .may = SANDBOX_PROGRAMS }, queue = { .may = SANDBOX_QUEUE_PROGRAM },
				    brief = { .may = SANDBOX_BRIEF, .paths = { { "control", SANDBOX_READ } } };

	(void)state;
	if (sandbox_is_null())
		skip();
	check(run_program, &always);
	check_killed(run_program, &queue);
	setenv("QMAILQUEUE", "", 1);
	check_killed(run_program, &queue);
	setenv("QMAILQUEUE", "/bin/true", 1);
	check(run_program, &queue);
	unsetenv("QMAILQUEUE");
	if (landlock_version() >= 3)
		check(read_nothing_else, &brief);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_changes_need_the_right),
		cmocka_unit_test(test_sockets),
		cmocka_unit_test(test_inherited_socket),
		cmocka_unit_test(test_processes),
		cmocka_unit_test(test_intruders_are_ended),
		cmocka_unit_test(test_unknown_calls_are_absent),
		cmocka_unit_test(test_less_is_said),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_programs),
	};

	return cmocka_run_group_tests(tests, setup, testplace_end);
}

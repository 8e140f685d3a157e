/*
 * supervise DIR: runs DIR/run, again whenever it ends, and obeys what is
 * written to DIR/supervise/control (contract-companions §2.2). The file
 * DIR/down keeps it from starting. Exit 0 after the command x, 111 for
 * trouble, also when another supervise is there.
 *
 * supervise [ -rsudox ] DIR PROGRAM…: the older form (§2.1): runs PROGRAM,
 * obeys DIR/svcontrol, and has no other use for DIR. Not where DIR/run exists:
 * there it is a wrong call of the form above.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/exitcode.h"
#include "filter/tool.h"
#include "supervision/svstatus.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/io.h"
#include "sys/options.h"

#define ME "supervise"
#define RESTART_SECONDS 1 /* a service that ends at once must not eat the machine */
#define NO_FORK_SECONDS 60

struct service {
	const char *dir;   /* as given, for messages */
	const char *below; /* it: where state lives in it, "/supervise" or "" */
	int state;         /* that directory */
	char **program;    /* of the older form; NULL: ./run in the working directory */
	int control;       /* the fifo's reading end */
	pid_t pid;         /* 0: down */
	struct tai64n since;
	bool wish;    /* false after "once": leave it as it is when it ends */
	bool want_up; /* the wish */
	bool paused;
	bool leaving;
	bool normally_up; /* of the older form */
	sigset_t signals; /* as we found them, for the service and while waiting */
};

static _Noreturn void die(const char *what, const struct service *s, const char *file)
{
	tool_die(ME, EXIT_TEMPORARY, "unable to %s %s%s%s: %s", what, s->dir, s->below, file, errno_text(errno));
}

static void warn(const char *what, const struct service *s, const char *file)
{
	tool_warn(ME, "unable to %s %s%s%s: %s", what, s->dir, s->below, file, errno_text(errno));
}

static void rest(time_t seconds)
{
	struct timespec t = { .tv_sec = seconds };

	while (nanosleep(&t, &t) == -1 && errno == EINTR)
		;
}

/* A reader sees the old status or the new one, never a part. */
static void announce(const struct service *s)
{
	struct svstatus status = { .since = s->since, .pid = (uint32_t)s->pid, .paused = s->pid && s->paused };
	unsigned char packed[OLDSTATUS_SIZE];
	size_t n = s->program ? OLDSTATUS_SIZE : SVSTATUS_SIZE;
	int fd;

	if (s->wish)
		status.want = s->want_up ? 'u' : 'd';
	if (s->program)
		oldstatus_pack(packed, &status, s->normally_up);
	else
		svstatus_pack(packed, &status);
	/* Whoever was given the directory, to control the service, is given no other files with it. */
	fd = openat(s->state, "status.new", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd == -1) {
		warn("open", s, "/status.new");
		return;
	}
	if (io_write_all(fd, packed, n) == -1)
		warn("write", s, "/status.new");
	else if (renameat(s->state, "status.new", s->state, "status") == -1)
		warn("rename", s, "/status.new to status");
	close(fd);
}

static void changed(struct service *s, pid_t pid)
{
	s->pid = pid;
	s->paused = false;
	s->since = tai64n_from_unix_ns(clock_wall_ns());
}

static _Noreturn void become_service(const struct service *s)
{
	char name[] = "./run", *argv[] = { name, NULL };

	sigprocmask(SIG_SETMASK, &s->signals, NULL);
	if (s->program) {
		rest(RESTART_SECONDS);
		execvp(s->program[0], s->program);
		tool_die(ME, EXIT_TEMPORARY, "unable to run %s: %s", s->program[0], errno_text(errno));
	}
	execv(name, argv);
	tool_die(ME, EXIT_TEMPORARY, "unable to start %s/run: %s", s->dir, errno_text(errno));
}

static void start(struct service *s)
{
	pid_t pid = fork();

	if (pid == -1) {
		tool_warn(ME, "unable to fork for %s, sleeping 60 seconds: %s", s->dir, errno_text(errno));
		rest(NO_FORK_SECONDS);
		return;
	}
	if (pid == 0)
		become_service(s);
	changed(s, pid);
	announce(s);
	if (s->program == NULL)
		rest(RESTART_SECONDS);
}

static void send_signal(const struct service *s, int signum)
{
	if (s->pid)
		kill(s->pid, signum);
}

static void pause_service(struct service *s, bool pause)
{
	s->paused = pause;
	send_signal(s, pause ? SIGSTOP : SIGCONT);
	announce(s);
}

static void wish_for(struct service *s, bool wish, bool up)
{
	s->wish = wish;
	s->want_up = up;
	if (up && s->pid == 0)
		start(s);
	announce(s);
}

static void stop(struct service *s)
{
	s->wish = true;
	s->want_up = false;
	send_signal(s, SIGTERM);
	send_signal(s, SIGCONT);
	s->paused = false;
	announce(s);
}

static void obey(struct service *s, char command)
{
	static const struct {
		char command;
		int signum;
	} plain[] = { { 'h', SIGHUP }, { 'a', SIGALRM }, { 'i', SIGINT }, { 't', SIGTERM }, { 'k', SIGKILL } };

	for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
		if (plain[i].command == command)
			send_signal(s, plain[i].signum);
	if (command == 'd')
		stop(s);
	else if (command == 'u' || command == 'o')
		wish_for(s, command == 'u', true);
	else if (command == 'p' || command == 'c')
		pause_service(s, command == 'p');
	else if (command == 'x') {
		s->leaving = true;
		announce(s);
	} else if (s->program && (command == 'r' || command == 's')) {
		s->normally_up = command == 'r';
		announce(s);
	}
}

/* True: there may be more to reap. */
static bool reap_one(struct service *s)
{
	pid_t pid = waitpid(-1, NULL, WNOHANG);

	if (pid <= 0)
		return pid == -1 && errno == EINTR;
	if (pid != s->pid)
		return true;
	changed(s, 0);
	announce(s);
	if (!s->leaving && s->wish && s->want_up)
		start(s);
	/* It may have ended again by now. Commands come first. */
	return false;
}

static void run(struct service *s)
{
	struct pollfd wait = { .fd = s->control, .events = POLLIN };
	char command;

	announce(s);
	while (!s->leaving || s->pid) {
		/* Signals come through only here: none is missed between a look and the wait. */
		ppoll(&wait, 1, NULL, &s->signals);
		while (reap_one(s))
			;
		if (io_read(s->control, &command, 1) == 1)
			obey(s, command);
	}
	announce(s);
}

/* A link leads to where status and fifos shall be: on another file system than the service, perhaps. */
static void make_directory(const struct service *s)
{
	char target[4096];
	ssize_t n;

	if (mkdir("supervise", 0700) == 0 || errno != EEXIST)
		return;
	n = readlink("supervise", target, sizeof target - 1);
	if (n == -1 && errno != EINVAL)
		die("readlink", s, "");
	if (n > 0) {
		target[n] = 0;
		mkdir(target, 0700);
	}
}

static void lock(const struct service *s)
{
	/* The kernel lets go of it with us; the service must not keep it. */
	int fd = openat(s->state, "lock", O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd == -1 || flock(fd, LOCK_EX | LOCK_NB) == -1)
		die("acquire", s, "/lock");
}

/* Its reading end, and the other one kept open, so that it never ends. */
static int open_fifo(const struct service *s, const char *file, bool keep)
{
	const char *name = file + 1;
	int fd;

	if (mkfifoat(s->state, name, 0600) == -1 && errno != EEXIST)
		die("create", s, file);
	fd = openat(s->state, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd == -1)
		die("read", s, file);
	if (keep && openat(s->state, name, O_WRONLY | O_NONBLOCK | O_CLOEXEC) == -1)
		die("write", s, file);
	return fd;
}

/* Only there so that the signal interrupts a wait. */
static void child_ended(int signum)
{
	(void)signum;
}

static void catch_child(struct service *s)
{
	struct sigaction action = { .sa_handler = child_ended };
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, &s->signals);
	sigdelset(&s->signals, SIGCHLD);
	sigaction(SIGCHLD, &action, NULL);
}

static void open_state(struct service *s, const char *path)
{
	s->state = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (s->state == -1)
		die("open", s, "");
}

static void prepare(struct service *s)
{
	struct stat st;

	if (chdir(s->dir) == -1)
		tool_die(ME, EXIT_TEMPORARY, "unable to chdir to %s: %s", s->dir, errno_text(errno));
	s->wish = true;
	s->want_up = stat("down", &st) == -1;
	if (s->want_up && errno != ENOENT)
		tool_die(ME, EXIT_TEMPORARY, "unable to stat %s/down: %s", s->dir, errno_text(errno));
	s->below = "/supervise";
	make_directory(s);
	open_state(s, "supervise");
	lock(s);
	s->control = open_fifo(s, "/control", true);
	changed(s, 0);
	announce(s);
	open_fifo(s, "/ok", false);
}

static void prepare_older(struct service *s)
{
	s->below = "";
	open_state(s, s->dir);
	lock(s);
	s->control = open_fifo(s, "/svcontrol", true);
	changed(s, 0);
}

/* ---- the command line ---- */

static void older_option(struct service *s, int c)
{
	if (c == 'r' || c == 's')
		s->normally_up = c == 'r';
	if (c == 'x')
		s->leaving = true;
	else
		s->want_up = c == 'r' || c == 'u' || c == 'o';
	s->wish = c != 'o';
}

static void older_arguments(struct service *s, int argc, char **argv)
{
	struct stat st;
	int dir;

	s->normally_up = s->want_up = s->wish = true;
	for (int c; (c = options_next(argc, argv, "rsudox")) != -1;) {
		if (c == '?')
			tool_usage(ME, "dir");
		older_option(s, c);
	}
	if (argc - optind < 2)
		tool_usage(ME, "dir");
	dir = open(argv[optind], O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir == -1 || fstatat(dir, "run", &st, 0) == 0)
		tool_usage(ME, "dir");
	close(dir);
	s->dir = argv[optind];
	s->program = argv + optind + 1;
}

int main(int argc, char **argv)
{
	struct service s = { 0 };

	if (argc == 2)
		s.dir = argv[1];
	else
		older_arguments(&s, argc, argv);
	catch_child(&s);
	if (s.program)
		prepare_older(&s);
	else
		prepare(&s);
	if (s.want_up)
		start(&s);
	run(&s);
	return 0;
}

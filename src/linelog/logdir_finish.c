#include "linelog/logdir_finish.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/exitcode.h"
#include "base/mem.h"
#include "base/tai64n.h"
#include "filter/tool.h"
#include "linelog/oldlogs.h"
#include "sys/clock.h"
#include "sys/file.h"

#define PAUSE_SECONDS 5
#define MODE_DONE 0744

void logdir_trouble(const struct logdir *d, const char *what, const char *file)
{
	tool_warn(d->set.me, "unable to %s %s%s, pausing: %s", what, d->set.name, file, errno_text(errno));
	sleep(PAUSE_SECONDS);
}

/* "/FILE", as messages have it. */
static const char *slashed(const char *file, char text[64])
{
	snprintf(text, 64, "/%s", file);
	return text;
}

bool logdir_stat(const struct logdir *d, const char *file, struct stat *st)
{
	char text[64];

	while (fstatat(d->dir, file, st, AT_SYMLINK_NOFOLLOW) == -1) {
		if (errno == ENOENT)
			return false;
		logdir_trouble(d, "stat", slashed(file, text));
	}
	return true;
}

void logdir_remove(const struct logdir *d, const char *file)
{
	char text[64];

	while (file_unlink(d->dir, file) == -1 && errno != ENOENT)
		logdir_trouble(d, "remove", slashed(file, text));
}

static void remove_old(const struct logdir *d)
{
	char oldest[NAME_MAX + 1];
	int n;

	while ((n = oldlogs_look(d->dir, TAI64N_LABEL, oldest)) == -1 || (uint64_t)n >= d->set.number) {
		if (n == -1)
			logdir_trouble(d, "read", "");
		else
			logdir_remove(d, oldest);
	}
}

static void link_final(const struct logdir *d, const char *file, char code)
{
	char name[TAI64N_LABEL + 3], text[64];

	for (;;) {
		tai64n_label(name, tai64n_from_unix_ns(clock_wall_ns()));
		snprintf(name + TAI64N_LABEL, 3, ".%c", code);
		if (file_link(d->dir, file, d->dir, name) == 0)
			return;
		if (errno != EEXIST)
			logdir_trouble(d, "link to", slashed(name, text));
	}
}

void logdir_finish(const struct logdir *d, const char *file, char code)
{
	struct stat st;

	if (!logdir_stat(d, file, &st))
		return;
	/* A second name means that we were killed between here and the removal. */
	if (st.st_nlink == 1)
		link_final(d, file, code);
	logdir_remove(d, file);
	remove_old(d);
}

/* A file of the working directory, as descriptor `to`. */
static bool redirect(const char *file, int flags, int to)
{
	int fd = open(file, flags, 0644);

	if (fd == -1)
		return false;
	if (fd == to)
		return true;
	if (dup2(fd, to) == -1)
		return false;
	close(fd);
	return true;
}

static _Noreturn void become_processor(const struct logdir *d)
{
	char shell[] = "sh", option[] = "-c", *argv[] = { shell, option, mem_copy(str_of(d->set.processor)), NULL };
	const int out = O_WRONLY | O_CREAT | O_TRUNC;
	sigset_t none;

	signal(SIGTERM, SIG_DFL);
	signal(SIGALRM, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (fchdir(d->dir) == -1)
		tool_die(d->set.me, EXIT_TEMPORARY, "unable to switch to %s: %s", d->set.name, errno_text(errno));
	if (!redirect("previous", O_RDONLY, 0))
		tool_die(d->set.me, EXIT_TEMPORARY, "unable to read %s/previous: %s", d->set.name, errno_text(errno));
	if (!redirect("processed", out, 1))
		tool_die(d->set.me, EXIT_TEMPORARY, "unable to write %s/processed: %s", d->set.name, errno_text(errno));
	if (!redirect("state", O_RDONLY, 4))
		tool_die(d->set.me, EXIT_TEMPORARY, "unable to read %s/state: %s", d->set.name, errno_text(errno));
	if (!redirect("newstate", out, 5))
		tool_die(d->set.me, EXIT_TEMPORARY, "unable to write %s/newstate: %s", d->set.name, errno_text(errno));
	execv("/bin/sh", argv);
	tool_die(d->set.me, EXIT_TEMPORARY, "unable to run %s: %s", d->set.processor, errno_text(errno));
}

static bool processor_ran(const struct logdir *d)
{
	int status;
	pid_t pid;

	while ((pid = fork()) == -1)
		logdir_trouble(d, "fork for processor in", "");
	if (pid == 0)
		become_processor(d);
	while (waitpid(pid, &status, 0) == -1) {
		if (errno == EINTR)
			continue;
		tool_warn(d->set.me, "wait failed for processor in %s, pausing", d->set.name);
		return false;
	}
	if (!WIFEXITED(status))
		tool_warn(d->set.me, "processor crashed in %s, pausing", d->set.name);
	else if (WEXITSTATUS(status))
		tool_warn(d->set.me, "processor failed in %s, pausing", d->set.name);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* To disk, and marked as complete. */
static void secure(const struct logdir *d, const char *file, mode_t mode)
{
	char text[64];
	int fd;

	while ((fd = file_open(d->dir, file, O_WRONLY | O_APPEND | O_NONBLOCK, 0)) == -1)
		logdir_trouble(d, "write", slashed(file, text));
	while (file_sync(fd) == -1)
		logdir_trouble(d, "write", slashed(file, text));
	while (mode && fchmod(fd, mode) == -1)
		logdir_trouble(d, "set mode of", slashed(file, text));
	close(fd);
}

void logdir_process(const struct logdir *d)
{
	while (!processor_ran(d))
		sleep(PAUSE_SECONDS);
	secure(d, "newstate", 0);
	secure(d, "processed", MODE_DONE);
	logdir_remove(d, "previous");
	while (file_rename(d->dir, "newstate", d->dir, "state") == -1)
		logdir_trouble(d, "rename newstate to state in directory", "");
	logdir_finish(d, "processed", 's');
}

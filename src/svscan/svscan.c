/*
 * svscan [ DIR ]: starts a supervise for each service directory in DIR, a
 * second one for its log/ with a pipe between them, and starts again what
 * ended, as long as the directory is there (contract-companions §2.2). Looks
 * every 5 seconds. Ends only by a signal; exit 111 when DIR cannot be entered.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/exitcode.h"
#include "base/mem.h"
#include "filter/childenv.h"
#include "filter/tool.h"
#include "sys/file.h"
#include "sys/home.h"
#include "sys/io.h"

#define ME "svscan"
#define SERVICES_MAX 1000
#define SCAN_SECONDS 5

struct entry {
	dev_t dev; /* a directory is known by its number: it may be renamed */
	ino_t ino;
	bool seen;         /* in the present scan */
	bool has_log;      /* it had a log/ when it was seen first */
	int log_pipe[2];   /* ours to keep, so that nothing is lost when one side is started again */
	pid_t pid, logger; /* 0: does not run */
};

struct scan {
	struct entry entries[SERVICES_MAX];
	size_t n;
};

/* By $PATH as ever; where that does not lead to one, the supervise that was installed with us. */
static void run_supervise(const char *dir)
{
	char name[] = "supervise", *argv[] = { name, mem_copy(str_of(dir)), NULL };
	struct childenv env = childenv_start();
	int saved;

	childenv_run(&env, name, argv);
	saved = errno;
	if (saved == ENOENT)
		childenv_run(&env, home_program(name), argv);
	errno = saved;
}

static void become_service(const char *name, const struct entry *e)
{
	if (e->has_log && dup2(e->log_pipe[1], 1) == -1)
		tool_die(ME, EXIT_TEMPORARY, "unable to set up descriptors for %s: %s", name, errno_text(errno));
	run_supervise(name);
	tool_die(ME, EXIT_TEMPORARY, "unable to start supervise %s: %s", name, errno_text(errno));
}

static void become_logger(const char *name, const struct entry *e)
{
	if (dup2(e->log_pipe[0], 0) == -1)
		tool_die(ME, EXIT_TEMPORARY, "unable to set up descriptors for %s/log: %s", name, errno_text(errno));
	if (chdir(name) == -1)
		tool_die(ME, EXIT_TEMPORARY, "unable to switch to %s: %s", name, errno_text(errno));
	run_supervise("log");
	tool_die(ME, EXIT_TEMPORARY, "unable to start supervise %s/log: %s", name, errno_text(errno));
}

/* The new process, or 0. */
static pid_t start(const char *name, const char *part, const struct entry *e,
		   void (*become)(const char *, const struct entry *))
{
	pid_t pid = fork();

	if (pid == 0)
		become(name, e);
	if (pid == -1)
		tool_warn(ME, "unable to fork for %s%s: %s", name, part, errno_text(errno));
	return pid == -1 ? 0 : pid;
}

/* NULL when there is no room, or no pipe for it now. */
static struct entry *add(struct scan *scan, const char *name, const struct stat *st)
{
	struct entry *e = &scan->entries[scan->n];
	char log[NAME_MAX + sizeof "/log"];
	struct stat log_st;

	if (scan->n == SERVICES_MAX) {
		tool_warn(ME, "unable to start %s: running too many services", name);
		return NULL;
	}
	snprintf(log, sizeof log, "%s/log", name);
	*e = (struct entry){ .dev = st->st_dev, .ino = st->st_ino };
	if (stat(log, &log_st) == 0) {
		e->has_log = S_ISDIR(log_st.st_mode);
	} else if (errno != ENOENT) {
		tool_warn(ME, "unable to stat %s: %s", log, errno_text(errno));
		return NULL;
	}
	if (e->has_log && io_pipe(e->log_pipe) == -1) {
		tool_warn(ME, "unable to create pipe for %s: %s", name, errno_text(errno));
		return NULL;
	}
	scan->n++;
	return e;
}

static struct entry *find(struct scan *scan, const struct stat *st)
{
	for (size_t i = 0; i < scan->n; i++)
		if (scan->entries[i].dev == st->st_dev && scan->entries[i].ino == st->st_ino)
			return &scan->entries[i];
	return NULL;
}

static bool visit(void *ctx, const char *name)
{
	struct scan *scan = ctx;
	struct entry *e;
	struct stat st;

	if (*name == '.')
		return true;
	if (stat(name, &st) == -1) {
		tool_warn(ME, "unable to stat %s: %s", name, errno_text(errno));
		return true;
	}
	if (!S_ISDIR(st.st_mode))
		return true;
	e = find(scan, &st);
	if (e == NULL)
		e = add(scan, name, &st);
	if (e == NULL)
		return true;
	e->seen = true;
	if (e->pid == 0)
		e->pid = start(name, "", e, become_service);
	if (e->has_log && e->logger == 0)
		e->logger = start(name, "/log", e, become_logger);
	return true;
}

static void reap(struct scan *scan)
{
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0 || (pid == -1 && errno == EINTR)) {
		for (size_t i = 0; i < scan->n; i++) {
			if (scan->entries[i].pid == pid)
				scan->entries[i].pid = 0;
			if (scan->entries[i].logger == pid)
				scan->entries[i].logger = 0;
		}
	}
}

/* What is no longer there is forgotten once nothing of it runs. */
static void forget(struct scan *scan)
{
	for (size_t i = 0; i < scan->n;) {
		struct entry *e = &scan->entries[i];

		if (e->seen || e->pid || e->logger) {
			i++;
			continue;
		}
		if (e->has_log) {
			close(e->log_pipe[0]);
			close(e->log_pipe[1]);
		}
		*e = scan->entries[--scan->n];
	}
}

static void look(struct scan *scan)
{
	reap(scan);
	for (size_t i = 0; i < scan->n; i++)
		scan->entries[i].seen = false;
	if (file_list(AT_FDCWD, visit, scan) == -1)
		tool_warn(ME, "unable to read directory: %s", errno_text(errno));
	else
		forget(scan);
}

int main(int argc, char **argv)
{
	static struct scan scan;

	io_open_standard_fds();
	signal(SIGCHLD, SIG_DFL);
	if (argc > 1 && chdir(argv[1]) == -1)
		tool_die(ME, EXIT_TEMPORARY, "unable to chdir to %s: %s", argv[1], errno_text(errno));
	for (;;) {
		look(&scan);
		sleep(SCAN_SECONDS);
	}
}

/*
 * dot-forward [ -nN ] FILE…: does what the first of the files that asks for
 * anything asks for, by the rules of sendmail's .forward
 * (contract-companions §4.4). Exit 0: go on with the .qmail file; 99: the
 * message has been dealt with; 100, 111.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "aliases/forwardfile.h"
#include "base/exitcode.h"
#include "base/mem.h"
#include "filter/command.h"
#include "filter/resend.h"
#include "filter/tool.h"
#include "inject/setup.h"
#include "sys/home.h"
#include "sys/io.h"
#include "sys/options.h"

#define ME "dot-forward"
#define FILE_MAX (4u << 20)
#define OTHERS_MAY_WRITE 002

/* False: there is no such file. */
static bool read_file(const char *name, struct buf *text)
{
	int fd = open(name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd == -1 && errno == ENOENT)
		return false;
	if (fd == -1 || fstat(fd, &st) == -1)
		tool_die(ME, EXIT_TEMPORARY, "unable to open %s: %s", name, errno_text(errno));
	if (!S_ISREG(st.st_mode))
		tool_die(ME, EXIT_TEMPORARY, "unable to read %s: not a regular file", name);
	/* Who can write to it can run programs as this user. */
	if (st.st_mode & OTHERS_MAY_WRITE)
		tool_die(ME, EXIT_TEMPORARY, "everybody may write to %s", name);
	if (!io_read_rest(fd, text))
		tool_die(ME, EXIT_TEMPORARY, "unable to read %s: %s", name, errno_text(errno));
	close(fd);
	return true;
}

static void run_programs(const struct addresses *programs)
{
	for (size_t i = 0; i < programs->n; i++) {
		char *command = mem_copy(addresses_get(programs, i));

		command_run(ME, command, true);
		free(command);
	}
}

static void forward(const struct addresses *to)
{
	struct resend r = { .sender = str_of(tool_variable(ME, "NEWSENDER")),
			    .header = str_of(tool_variable(ME, "DTLINE")),
			    .fd = 0 };
	struct str *list = mem_array(NULL, to->n, sizeof *list);
	struct err e;
	pid_t qp;

	for (; r.n < to->n; r.n++)
		list[r.n] = addresses_get(to, r.n);
	r.to = list;
	command_rewind(ME);
	if (!resend_message(&r, &qp, &e))
		tool_die(ME, err_exit_code(&e), "unable to forward message: %s", e.text);
	fprintf(stderr, ME ": info: qp %d\n", (int)qp);
	free(list);
}

static void describe(const struct forwardfile *f)
{
	for (size_t i = 0; i < f->programs.n; i++)
		fprintf(stderr, "pipe through %.*s\n", STR_ARG(addresses_get(&f->programs, i)));
	for (size_t i = 0; i < f->addresses.n; i++)
		fprintf(stderr, "forward %.*s\n", STR_ARG(addresses_get(&f->addresses, i)));
	if (f->direct)
		fputs("direct delivery\n", stderr);
}

static int act(const struct forwardfile *f, bool dry_run)
{
	if (dry_run) {
		describe(f);
	} else {
		run_programs(&f->programs);
		if (f->addresses.n)
			forward(&f->addresses);
	}
	return f->direct ? 0 : EXIT_STOP;
}

/* The exit code; -1 when the file asks for nothing. */
static int try_file(const char *name, const struct rewrite_rules *rules, bool dry_run)
{
	struct str user = str_of(tool_variable(ME, "USER")), host = str_of(tool_variable(ME, "HOST"));
	struct forwardfile f = FORWARDFILE_INIT;
	struct buf text = BUF_INIT(FILE_MAX);
	int code = -1;
	struct err e;

	if (read_file(name, &text)) {
		if (!forwardfile_parse(buf_str(&text), rules, user, host, &f, &e))
			tool_die(ME, EXIT_TEMPORARY, "%s", e.text);
		if (!forwardfile_empty(&f))
			code = act(&f, dry_run);
		else if (dry_run)
			fprintf(stderr, "skipping empty file %s\n", name);
	}
	forwardfile_free(&f);
	buf_free(&text);
	return code;
}

int main(int argc, char **argv)
{
	struct rewrite_rules rules = { 0 };
	bool dry_run = false;
	int c, code = -1;
	struct err e;

	while ((c = options_next(argc, argv, "nN")) != -1) {
		if (c == '?')
			tool_usage(ME, "[ -nN ] file ...");
		dry_run = c == 'n';
	}
	if (optind >= argc)
		tool_usage(ME, "[ -nN ] file ...");
	if (!home_open(&e) || !setup_read_rules(&rules, false, &e))
		tool_die(ME, EXIT_TEMPORARY, "%s", e.text);
	for (int i = optind; code == -1 && i < argc; i++)
		code = try_file(argv[i], &rules, dry_run);
	if (code == -1 && dry_run)
		fputs("direct delivery\n", stderr);
	rewrite_free(&rules);
	return code == -1 ? 0 : code;
}

/*
 * maildirserial [ -b ] [ -t seconds ] DIR PREFIX CLIENT…: gives the messages
 * of a Maildir to a client that delivers them over one connection, and removes
 * what was delivered (contract-companions §5.1).
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/exitcode.h"
#include "base/mem.h"
#include "conf/control.h"
#include "filter/tool.h"
#include "maildirserial/maildirserial.h"
#include "sys/clock.h"
#include "sys/home.h"
#include "sys/options.h"

#define ARGUMENTS "[ -b ] [ -t seconds ] dir prefix client [ arg ... ]"
#define ROUNDS_WITHOUT_REPORT 3

struct run {
	struct serial_settings settings;
	int dir;
	struct maildir_list list; /* of this round */
	char **kept;              /* paths of messages that stay, sorted; owned */
	size_t nkept;
};

static void say(const char *kind, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));

static void say(const char *kind, const char *fmt, va_list ap)
{
	fprintf(stderr, "%s: %s: ", ME, kind);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
}

void serial_info(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("info", fmt, ap);
	va_end(ap);
}

void serial_warning(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("warning", fmt, ap);
	va_end(ap);
}

static void read_controls(struct serial_settings *s)
{
	struct err e;

	s->bouncefrom = s->bouncehost = s->doubleto = s->doublehost = BUF_INIT(10000);
	if (!home_enter(&e) || !control_line_or("bouncefrom", "MAILER-DAEMON", &s->bouncefrom, &e) ||
	    !control_line_or_me("bouncehost", "bouncehost", &s->bouncehost, &e) ||
	    !control_line_or("doublebounceto", "postmaster", &s->doubleto, &e) ||
	    !control_line_or_me("doublebouncehost", "doublebouncehost", &s->doublehost, &e))
		tool_die(ME, EXIT_TEMPORARY, "%s", e.text);
}

/* ---- messages that stay ---- */

static int by_path(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_kept(const struct run *r, const char *path)
{
	return r->nkept && bsearch(&path, r->kept, r->nkept, sizeof *r->kept, by_path) != NULL;
}

static void keep(struct run *r, const char *path)
{
	r->kept = mem_array(r->kept, r->nkept + 1, sizeof *r->kept);
	r->kept[r->nkept++] = mem_copy(str_of(path));
}

/* ---- one round ---- */

static void remove_message(struct run *r, const char *path)
{
	if (unlinkat(r->dir, path, 0) == 0)
		return;
	serial_warning("message will be delivered twice! unable to unlink %s: %s", path, errno_text(errno));
	keep(r, path);
}

static bool too_old(const struct run *r, size_t index)
{
	return r->settings.lifetime && r->list.entry[index].mtime.tv_sec + r->settings.lifetime < clock_wall();
}

/* What a client reported. */
static void settle(void *ctx, size_t index, char letter, struct str text)
{
	struct run *r = ctx;
	const char *path = r->list.entry[index].path;
	bool old = letter == 'Z' && too_old(r, index);

	if (letter == 'K') {
		serial_info("%s succeeded: %.*s", path, STR_ARG(text));
		remove_message(r, path);
	} else if (letter == 'Z' && !old) {
		serial_info("%s failed temporarily: %.*s", path, STR_ARG(text));
		keep(r, path);
	} else if (!r->settings.bounce) {
		serial_info("%s failed: %.*s", path, STR_ARG(text));
		keep(r, path);
	} else {
		serial_info("%s bounced: %.*s", path, STR_ARG(text));
		if (serial_bounce(&r->settings, path, text, old))
			remove_message(r, path);
		else
			keep(r, path);
	}
}

static bool eligible(const struct run *r, const char *path)
{
	struct serialhead head = SERIALHEAD_INIT;
	struct err e;
	int fd;

	if (is_kept(r, path))
		return false;
	if (r->settings.prefix.n == 0)
		return true;
	fd = serialhead_open(path, r->settings.prefix, &head, &e);
	if (fd != -1)
		close(fd);
	else if (e.kind != ERR_NONE)
		serial_warning("%s", e.text);
	serialhead_free(&head);
	return fd != -1;
}

/* The messages for this round. */
static void scan(struct run *r)
{
	struct err e;
	size_t n = 0;

	if (r->nkept)
		qsort(r->kept, r->nkept, sizeof *r->kept, by_path);
	r->list = (struct maildir_list){ 0 };
	if (!maildir_scan(r->dir, true, clock_wall(), &r->list, &e))
		tool_die(ME, EXIT_TEMPORARY, "%s", e.text);
	for (size_t i = 0; i < r->list.n; i++) {
		if (eligible(r, r->list.entry[i].path))
			r->list.entry[n++] = r->list.entry[i];
		else
			free(r->list.entry[i].path);
	}
	r->list.n = n;
}

/* Until there is nothing left to try; the exit code. */
static int work(struct run *r)
{
	int silent = 0;

	for (scan(r); r->list.n; scan(r)) {
		size_t reports = 0;
		int code = serial_client(&r->settings, &r->list, settle, r, &reports);

		maildir_list_free(&r->list);
		if (code == EXIT_PERMANENT)
			tool_die(ME, EXIT_PERMANENT, "%s cannot be run like that", r->settings.client[0]);
		silent = reports ? 0 : silent + 1;
		if (silent == ROUNDS_WITHOUT_REPORT)
			tool_die(ME, EXIT_TEMPORARY, "making no progress, giving up");
	}
	maildir_list_free(&r->list);
	return r->nkept ? EXIT_TEMPORARY : 0;
}

static void release(struct run *r)
{
	struct serial_settings *s = &r->settings;

	for (size_t i = 0; i < r->nkept; i++)
		free(r->kept[i]);
	free(r->kept);
	buf_free(&s->bouncefrom);
	buf_free(&s->bouncehost);
	buf_free(&s->doubleto);
	buf_free(&s->doublehost);
}

int main(int argc, char **argv)
{
	struct run r = { .dir = -1 };
	int code, here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (int c; (c = options_next(argc, argv, "bt:")) != -1;) {
		if (c == '?')
			tool_usage(ME, ARGUMENTS);
		if (c == 'b')
			r.settings.bounce = true;
		else
			r.settings.lifetime = (int64_t)options_number(optarg, INT32_MAX);
	}
	argv += optind;
	if (argc - optind < 3)
		tool_usage(ME, ARGUMENTS);
	r.settings.prefix = str_of(argv[1]);
	r.settings.client = argv + 2;
	signal(SIGPIPE, SIG_IGN);
	read_controls(&r.settings);
	/* A relative name is one from where we were called. */
	r.dir = openat(here, argv[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r.dir == -1 || fchdir(r.dir) == -1)
		tool_die(ME, EXIT_TEMPORARY, "unable to chdir to %s: %s", argv[0], errno_text(errno));
	maildir_clean_tmp(r.dir, clock_wall());
	code = work(&r);
	release(&r);
	return code;
}

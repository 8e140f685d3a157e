/*
 * fastforward [ -nNpPdD ] DATA.cdb: delivers by an alias database
 * (contract-companions §4.1). Exit 0; 99 with -p when the address was found;
 * 100, 111.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "aliases/aliasexpand.h"
#include "aliases/maillist.h"
#include "base/exitcode.h"
#include "base/mem.h"
#include "cdb/cdbfile.h"
#include "filter/command.h"
#include "filter/resend.h"
#include "filter/tool.h"
#include "sys/io.h"
#include "sys/options.h"

#define ME "fastforward"
#define ADDRESS_MAX 65536
#define WORLD_READABLE 0444

struct options {
	bool dry_run;      /* -n */
	bool pass_through; /* -p */
	bool from_default; /* -d */
};

static _Noreturn void usage(void)
{
	tool_usage(ME, "[ -nNpP ] data.cdb");
}

static struct options read_options(int argc, char **argv)
{
	struct options o = { 0 };
	int c;

	while ((c = options_next(argc, argv, "nNpPdD")) != -1) {
		switch (c) {
		case 'n':
		case 'N':
			o.dry_run = c == 'n';
			break;
		case 'p':
		case 'P':
			o.pass_through = c == 'p';
			break;
		case 'd':
		case 'D':
			o.from_default = c == 'd';
			break;
		default:
			usage();
		}
	}
	if (optind + 1 != argc)
		usage();
	return o;
}

static const char *required(const char *name)
{
	const char *value = getenv(name);

	if (value == NULL)
		tool_die(ME, EXIT_PERMANENT, "$%s must be set", name);
	return value;
}

static void find_recipient(const struct options *o, struct buf *recipient)
{
	const char *local = getenv("DEFAULT");

	if (!o->from_default) {
		buf_addz(recipient, required("RECIPIENT"));
		return;
	}
	buf_addz(recipient, local ? local : required("EXT"));
	buf_addc(recipient, '@');
	buf_addz(recipient, required("HOST"));
}

struct run {
	const struct options *options;
	struct cdbfile db;
};

static bool find(void *ctx, struct str key, bool *found, struct str *data, struct err *e)
{
	struct run *run = ctx;

	return cdbfile_find(&run->db, key, found, data, e);
}

static bool check_list(const char *path, struct str list, struct err *e)
{
	enum maillist_result r;
	struct str item;

	do
		r = maillist_next(&list, &item);
	while (r == MAILLIST_ITEM);
	return r == MAILLIST_END || err_temp(e, "bad mailing list format in %s", path);
}

/* A list that is being written with other rights than it will have must not be used yet. */
static bool read_list(void *ctx, const char *path, struct buf *content, struct err *e)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	bool ok;

	(void)ctx;
	if (fd == -1)
		return err_temp(e, "unable to read %s: %s", path, errno_text(errno));
	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode))
		ok = err_temp(e, "unable to read %s: not a regular file", path);
	else if ((st.st_mode & WORLD_READABLE) != WORLD_READABLE)
		ok = err_temp(e, "%s is not world-readable", path);
	else if (!io_read_rest(fd, content))
		ok = err_temp(e, "unable to read %s: %s", path, errno_text(errno));
	else
		ok = check_list(path, buf_str(content), e);
	close(fd);
	return ok;
}

static bool run_program(void *ctx, struct str instruction, struct err *e)
{
	struct run *run = ctx;
	char *command = mem_copy(str_from(instruction, 1));

	(void)e;
	if (run->options->dry_run)
		fprintf(stderr, "run %.*s\n", STR_ARG(instruction));
	else
		command_run(ME, command, *instruction.p == '!');
	free(command);
	return true;
}

static void describe(const struct alias_expansion *x)
{
	if (x->final.n == 0) {
		fputs("no forwarding\n", stderr);
		return;
	}
	fprintf(stderr, "from <%.*s>\n", STR_ARG(buf_str(&x->sender)));
	for (size_t i = 0; i < x->final.n; i++)
		fprintf(stderr, "to <%.*s>\n", STR_ARG(addresses_get(&x->final, i)));
}

static void forward(const struct alias_expansion *x)
{
	struct resend r = { .sender = buf_str(&x->sender), .header = str_of(getenv("DTLINE")), .fd = 0 };
	struct str *to;
	struct err e;
	pid_t qp;

	if (x->final.n == 0)
		return;
	to = mem_array(NULL, x->final.n, sizeof *to);
	for (; r.n < x->final.n; r.n++)
		to[r.n] = addresses_get(&x->final, r.n);
	r.to = to;
	command_rewind(ME);
	if (!resend_message(&r, &qp, &e))
		tool_fail(ME, &e);
	fprintf(stderr, ME ": qp %d\n", (int)qp);
	free(to);
}

/* The exit code. */
static int finish(const struct options *o, const struct alias_expansion *x)
{
	if (!x->found && !o->pass_through) {
		fputs("Sorry, no mailbox here by that name. (#5.1.1)\n", stderr);
		return EXIT_PERMANENT;
	}
	if (!x->found)
		return 0;
	if (o->dry_run)
		describe(x);
	else
		forward(x);
	return o->pass_through ? EXIT_STOP : 0;
}

static void open_database(struct cdbfile *db, const char *path)
{
	struct err e;

	if (!cdbfile_open(db, AT_FDCWD, path, &e))
		tool_die(ME, EXIT_TEMPORARY, "%s", e.text);
	if (!db->present)
		tool_die(ME, EXIT_TEMPORARY, "unable to read %s: %s", path, errno_text(ENOENT));
}

int main(int argc, char **argv)
{
	const struct options o = read_options(argc, argv);
	struct alias_expansion x = { .sender = BUF_INIT(SIZE_MAX), .final = ADDRESSES_INIT };
	struct run run = { .options = &o };
	const struct alias_source source = { &run, find, read_list, run_program };
	struct buf recipient = BUF_INIT(ADDRESS_MAX);
	const char *sender = getenv("SENDER");
	struct err e;
	int code;

	find_recipient(&o, &recipient);
	buf_addz(&x.sender, sender ? sender : "original envelope sender");
	open_database(&run.db, argv[optind]);
	if (!alias_expand(&source, buf_str(&recipient), &x, &e))
		tool_fail(ME, &e);
	code = finish(&o, &x);
	addresses_free(&x.final);
	buf_free(&x.sender);
	buf_free(&recipient);
	cdbfile_close(&run.db);
	return code;
}

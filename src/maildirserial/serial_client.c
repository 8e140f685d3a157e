#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/exitcode.h"
#include "base/mem.h"
#include "filter/chain.h"
#include "filter/tool.h"
#include "maildirserial/maildirserial.h"
#include "serial/serialreport.h"
#include "sys/io.h"

/* All names, each with its NUL, in a file of their own: a client may answer before it has read them all. */
static int names_file(const struct maildir_list *list)
{
	struct buf names = BUF_INIT(1u << 30);
	int fd = memfd_create("names", MFD_CLOEXEC);

	for (size_t i = 0; i < list->n; i++) {
		buf_addz(&names, list->entry[i].path);
		buf_addc(&names, 0);
	}
	if (fd == -1 || !buf_ok(&names) || io_write_all(fd, names.p, names.n) == -1 || lseek(fd, 0, SEEK_SET) == -1)
		tool_die(ME, EXIT_TEMPORARY, "unable to write the list of messages: %s", errno_text(errno));
	buf_free(&names);
	return fd;
}

static pid_t start(const struct serial_settings *s, const struct maildir_list *list, int *from)
{
	int names = names_file(list), out[2];
	pid_t pid;

	if (io_pipe(out) == -1)
		tool_die(ME, EXIT_TEMPORARY, "unable to create pipe: %s", errno_text(errno));
	pid = fork();
	if (pid == -1)
		tool_die(ME, EXIT_TEMPORARY, "unable to fork: %s", errno_text(errno));
	if (pid == 0) {
		if (dup2(names, 0) == -1 || dup2(out[1], 1) == -1)
			tool_die(ME, EXIT_TEMPORARY, "unable to set up descriptors: %s", errno_text(errno));
		chain_run(ME, s->client, NULL);
	}
	close(names);
	close(out[1]);
	*from = out[0];
	return pid;
}

/* The message of that name; list->n when there is none. Clients go through them in order. */
static size_t find(const struct maildir_list *list, struct str name, size_t from)
{
	for (size_t i = 0; i < list->n; i++) {
		size_t at = (from + i) % list->n;

		if (str_eq(str_of(list->entry[at].path), name))
			return at;
	}
	return list->n;
}

static int exit_code(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			return EXIT_TEMPORARY;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_TEMPORARY;
}

int serial_client(const struct serial_settings *s, const struct maildir_list *list,
		  void (*done)(void *ctx, size_t index, char letter, struct str text), void *ctx, size_t *reports)
{
	struct buf in = BUF_INIT(4 * SERIALREPORT_MAX);
	enum serialreport got = SERIALREPORT_MORE;
	size_t last = 0;
	ssize_t r = 1;
	int from;
	pid_t pid = start(s, list, &from);

	while (r > 0 && got != SERIALREPORT_BAD) {
		struct str rest, name, text;
		char letter, *room = buf_room(&in, SERIALREPORT_MAX);

		r = io_read(from, room, SERIALREPORT_MAX);
		if (r > 0)
			buf_wrote(&in, (size_t)r);
		rest = buf_str(&in);
		while ((got = serialreport_take(&rest, &name, &letter, &text)) == SERIALREPORT_ONE) {
			last = find(list, name, last);
			if (last == list->n)
				tool_die(ME, EXIT_TEMPORARY, "the client reports on a message that it was not given");
			++*reports;
			done(ctx, last, letter, text);
		}
		buf_consume(&in, in.n - rest.n);
	}
	close(from);
	buf_free(&in);
	if (got == SERIALREPORT_BAD)
		serial_warning("the client's report makes no sense");
	return exit_code(pid);
}

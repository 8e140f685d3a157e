/*
 * qmail-pop3d MAILDIR: POP3 for a user who has logged in, on descriptors 0
 * and 1 (contract §15.2). Exit 0; 1 as root.
 *
 * Only QUIT deletes messages: a connection that breaks changes nothing.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "pop3/popsession.h"
#include "pop3/popwire.h"
#include "sandbox/sandbox.h"
#include "sys/io.h"

#define PATH_LIMIT 8192

static bool relieve(void *ctx)
{
	return popwire_relieve(ctx);
}

/* Nothing but the Maildir, which is the working directory. */
static bool confine(struct err *e)
{
	char path[PATH_LIMIT];
	const struct sandbox_rights rights = {
		.may = SANDBOX_BRIEF,
		.memory = SANDBOX_GIB,
		.paths = { { path, SANDBOX_WRITE } },
	};

	if (getcwd(path, sizeof path) == NULL)
		return err_sys(e, errno, "unable to find the Maildir");
	return sandbox_enter(&rights, e);
}

static void refuse(struct popwire *w, const char *why)
{
	buf_addf(&w->replies, "-ERR %s\r\n", why);
	popwire_end(w);
}

static void serve(struct popwire *w, struct popbox *box)
{
	struct popsession s = { .box = box, .relieve = relieve, .ctx = w };
	struct str line;

	buf_addz(&w->replies, "+OK \r\n");
	while (!s.ended && popwire_line(w, false, &line))
		popsession_command(&s, line, &w->replies);
	popwire_end(w);
}

int main(int argc, char **argv)
{
	static struct popwire w;
	struct popbox box = { .dir = -1 };
	struct err e;

	io_open_standard_fds();
	signal(SIGPIPE, SIG_IGN);
	if (getuid() == 0) {
		fputs("qmail-pop3d: fatal: root does not read mail; log in as somebody else\n", stderr);
		return 1;
	}
	popwire_start(&w, 0, 1);
	if (argc < 2 || chdir(argv[1]) == -1)
		refuse(&w, "this user has no $HOME/Maildir");
	else if (!confine(&e) || !popbox_open(&box, &e))
		refuse(&w, "unable to scan $HOME/Maildir");
	else
		serve(&w, &box);
	popbox_close(&box);
	return 0;
}

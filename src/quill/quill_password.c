#include "quill/quill_password.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "sys/io.h"

/* Byte for byte: what follows the line is not ours. */
static bool read_line(struct buf *line, struct err *e)
{
	char c;

	while (io_read(0, &c, 1) == 1 && c != '\n')
		buf_addc(line, c);
	if (line->n && line->p[line->n - 1] == '\r')
		buf_truncate(line, line->n - 1);
	if (!buf_ok(line))
		return err_perm(e, "that password is too long");
	return str_chr(buf_str(line), 0) == line->n || err_perm(e, "a password cannot contain a NUL byte");
}

static struct termios shown;

/* SA_RESETHAND: the second one is what ends us. */
static void show_and_end(int sig)
{
	tcsetattr(0, TCSANOW, &shown);
	raise(sig);
}

static void catch_signals(struct sigaction before[4], bool restore)
{
	static const int signals[4] = { SIGINT, SIGQUIT, SIGTERM, SIGHUP };
	struct sigaction sa = { .sa_handler = show_and_end, .sa_flags = (int)SA_RESETHAND };

	for (int i = 0; i < 4; i++)
		sigaction(signals[i], restore ? &before[i] : &sa, restore ? NULL : &before[i]);
}

static bool ask_hidden(const char *prompt, const char *whose, struct buf *line, struct err *e)
{
	struct sigaction before[4];
	struct termios hidden;
	bool ok;

	fprintf(stderr, "%s %s: ", prompt, whose);
	tcgetattr(0, &shown);
	hidden = shown;
	hidden.c_lflag &= ~(tcflag_t)ECHO;
	catch_signals(before, false);
	tcsetattr(0, TCSAFLUSH, &hidden);
	ok = read_line(line, e);
	tcsetattr(0, TCSAFLUSH, &shown);
	catch_signals(before, true);
	fputc('\n', stderr);
	return ok;
}

bool quill_password_ask(const char *whose, struct buf *password, struct err *e)
{
	struct buf again = BUF_INIT(password->limit);
	bool ok;

	if (!isatty(0))
		return read_line(password, e);
	ok = ask_hidden("New password for", whose, password, e) && ask_hidden("Once more for", whose, &again, e);
	if (ok && !str_eq(buf_str(password), buf_str(&again)))
		ok = err_perm(e, "the two passwords differ; nothing was changed");
	buf_free_secret(&again);
	return ok;
}

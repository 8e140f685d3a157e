#include "quill/quill_password.h"

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

static bool ask_hidden(const char *prompt, const char *whose, struct buf *line, struct err *e)
{
	struct termios before, hidden;
	bool ok;

	fprintf(stderr, "%s %s: ", prompt, whose);
	tcgetattr(0, &before);
	hidden = before;
	hidden.c_lflag &= ~(tcflag_t)ECHO;
	tcsetattr(0, TCSAFLUSH, &hidden);
	ok = read_line(line, e);
	tcsetattr(0, TCSAFLUSH, &before);
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
	if (again.p)
		explicit_bzero(again.p, again.cap);
	buf_free(&again);
	return ok;
}

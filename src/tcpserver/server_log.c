#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "sys/io.h"
#include "tcpserver/tcpserver.h"

#define LINE_MAX_BYTES 4096

/* One write a line, so that the lines of many children do not mix. */
__attribute__((format(printf, 2, 0))) static void say(const char *prefix, const char *fmt, va_list ap)
{
	char text[LINE_MAX_BYTES];
	struct buf line = BUF_INIT(LINE_MAX_BYTES + 100);

	vsnprintf(text, sizeof text, fmt, ap);
	buf_addf(&line, "tcpserver: %s%s\n", prefix, text);
	io_write_all(2, line.p, line.n);
	buf_free(&line);
}

void server_log(const struct tcpserver *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (t->verbosity >= 2)
		say("", fmt, ap);
	va_end(ap);
}

void server_drop(const struct tcpserver *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (t->verbosity >= 1)
		say("warning: dropping connection, ", fmt, ap);
	va_end(ap);
}

_Noreturn void server_fatal(const struct tcpserver *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (t->verbosity >= 1)
		say("fatal: ", fmt, ap);
	va_end(ap);
	exit(111);
}

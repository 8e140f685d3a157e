#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "sys/io.h"
#include "tcpservice/tcpservice.h"

#define LINE_MAX_BYTES 4096

/* One write a line, so that the lines of many children do not mix. */
__attribute__((format(printf, 3, 0))) static void say(const struct tcpservice *t, const char *prefix, const char *fmt,
						      va_list ap)
{
	char text[LINE_MAX_BYTES];
	struct buf line = BUF_INIT(LINE_MAX_BYTES + 100);

	vsnprintf(text, sizeof text, fmt, ap);
	buf_addf(&line, "%s: %s%s\n", t->name, prefix, text);
	io_write_all(2, line.p, line.n);
	buf_free(&line);
}

void service_say(const struct tcpservice *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (t->common.verbosity >= 2)
		say(t, "", fmt, ap);
	va_end(ap);
}

void service_drop(const struct tcpservice *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (t->common.verbosity >= 1)
		say(t, "warning: dropping connection, ", fmt, ap);
	va_end(ap);
}

_Noreturn void service_fatal(const struct tcpservice *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (t->common.verbosity >= 1)
		say(t, "fatal: ", fmt, ap);
	va_end(ap);
	exit(111);
}

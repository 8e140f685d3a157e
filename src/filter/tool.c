#include "filter/tool.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define LINE_MAX_BYTES 4096

/* In one write, so that lines of several processes on one log do not mix. */
__attribute__((format(printf, 3, 0))) static void say(const char *me, const char *what, const char *fmt, va_list ap)
{
	char line[LINE_MAX_BYTES];
	int n = snprintf(line, sizeof line - 1, "%s: %s: ", me, what);
	size_t used = n < 0 ? 0 : (size_t)n < sizeof line - 1 ? (size_t)n : sizeof line - 2;

	n = vsnprintf(line + used, sizeof line - 1 - used, fmt, ap);
	if (n > 0)
		used += (size_t)n < sizeof line - 1 - used ? (size_t)n : sizeof line - 2 - used;
	line[used++] = '\n';
	fwrite(line, 1, used, stderr);
}

_Noreturn void tool_die(const char *me, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(me, "fatal", fmt, ap);
	va_end(ap);
	exit(code);
}

void tool_warn(const char *me, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(me, "warning", fmt, ap);
	va_end(ap);
}

_Noreturn void tool_fail(const char *me, const struct err *e)
{
	tool_die(me, err_exit_code(e), "%s", e->text);
}

_Noreturn void tool_usage(const char *me, const char *arguments)
{
	fprintf(stderr, "%s: usage: %s %s\n", me, me, arguments);
	exit(100);
}

const char *tool_variable(const char *me, const char *name)
{
	const char *value = getenv(name);

	if (value == NULL)
		tool_die(me, 100, "%s not set", name);
	return value;
}

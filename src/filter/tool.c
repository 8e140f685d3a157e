#include "filter/tool.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

_Noreturn void tool_die(const char *me, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "%s: fatal: ", me);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(code);
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

#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 4, 0))) static void fill(struct err *e, enum err_kind kind, int errnum, const char *fmt,
						       va_list ap)
{
	char text[sizeof e->text];

	/* Formatted apart, because an argument may be the old e->text. */
	vsnprintf(text, sizeof text, fmt, ap);
	e->kind = kind;
	e->sys = errnum;
	memcpy(e->text, text, sizeof text);
}

bool err_temp(struct err *e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fill(e, ERR_TEMPORARY, 0, fmt, ap);
	va_end(ap);
	return false;
}

bool err_perm(struct err *e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fill(e, ERR_PERMANENT, 0, fmt, ap);
	va_end(ap);
	return false;
}

bool err_sys(struct err *e, int errnum, const char *fmt, ...)
{
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	fill(e, errno_temporary(errnum) ? ERR_TEMPORARY : ERR_PERMANENT, errnum, fmt, ap);
	va_end(ap);
	n = strlen(e->text);
	snprintf(e->text + n, sizeof e->text - n, ": %s", errno_text(errnum));
	return false;
}

bool err_context(struct err *e, const char *fmt, ...)
{
	char inner[sizeof e->text];
	va_list ap;
	size_t n;

	memcpy(inner, e->text, sizeof inner);
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof e->text, fmt, ap);
	va_end(ap);
	n = strlen(e->text);
	snprintf(e->text + n, sizeof e->text - n, ": %s", inner);
	return false;
}

int err_exit_code(const struct err *e)
{
	return e->kind == ERR_PERMANENT ? 100 : 111;
}

const char *errno_text(int errnum)
{
	static const struct {
		int errnum;
		const char *text;
	} words[] = {
		{ 0, "no error" },
		{ EINTR, "interrupted system call" },
		{ ENOMEM, "out of memory" },
		{ ENOENT, "file does not exist" },
		{ ETXTBSY, "text busy" },
		{ EIO, "input/output error" },
		{ EEXIST, "file already exists" },
		{ ETIMEDOUT, "timed out" },
		{ EINPROGRESS, "operation in progress" },
		{ EAGAIN, "temporary failure" },
		{ EPIPE, "broken pipe" },
		{ EPERM, "permission denied" },
		{ EACCES, "access denied" },
		{ ENXIO, "device not configured" },
		{ ENODEV, "device does not support operation" },
		{ EPROTO, "protocol error" },
		{ EISDIR, "is a directory" },
		{ ECONNREFUSED, "connection refused" },
		{ ENOTDIR, "not a directory" },
		{ ENOTSOCK, "not a socket" },
		{ EXDEV, "cross-device link" },
		{ ENOSPC, "out of disk space" },
		{ EROFS, "read-only file system" },
		{ EADDRINUSE, "address already used" },
		{ EADDRNOTAVAIL, "address not available" },
		{ ECONNRESET, "connection reset" },
		{ ECONNABORTED, "connection aborted" },
		{ EHOSTUNREACH, "host unreachable" },
		{ EHOSTDOWN, "host down" },
		{ ENETUNREACH, "network unreachable" },
		{ ENETDOWN, "network down" },
		{ ENETRESET, "network reset" },
		{ EMFILE, "process cannot open more files" },
		{ ENFILE, "system cannot open more files" },
		{ ELOOP, "symbolic link loop" },
		{ ENAMETOOLONG, "file name too long" },
		{ EDQUOT, "disk quota exceeded" },
		{ ESTALE, "stale NFS file handle" },
		{ ESRCH, "no such process" },
		{ E2BIG, "argument list too long" },
		{ ENOEXEC, "exec format error" },
		{ EBADF, "file descriptor not open" },
		{ ECHILD, "no child processes" },
		{ EDEADLK, "operation would cause deadlock" },
		{ EFAULT, "bad address" },
		{ ENOTBLK, "not a block device" },
		{ EBUSY, "device busy" },
		{ EINVAL, "invalid argument" },
		{ ENOTTY, "not a tty" },
		{ EFBIG, "file too big" },
		{ ESPIPE, "unseekable descriptor" },
		{ EMLINK, "too many links" },
		{ EDOM, "input out of range" },
		{ ERANGE, "output out of range" },
		{ EALREADY, "operation already in progress" },
		{ EDESTADDRREQ, "destination address required" },
		{ EMSGSIZE, "message too long" },
		{ EPROTOTYPE, "incorrect protocol type" },
		{ ENOPROTOOPT, "protocol not available" },
		{ EPROTONOSUPPORT, "protocol not supported" },
		{ ESOCKTNOSUPPORT, "socket type not supported" },
		{ EOPNOTSUPP, "operation not supported" },
		{ EPFNOSUPPORT, "protocol family not supported" },
		{ EAFNOSUPPORT, "address family not supported" },
		{ ENOBUFS, "out of buffer space" },
		{ EISCONN, "already connected" },
		{ ENOTCONN, "not connected" },
		{ ESHUTDOWN, "socket shut down" },
		{ ETOOMANYREFS, "too many references" },
		{ ENOTEMPTY, "directory not empty" },
		{ EUSERS, "too many users" },
		{ EREMOTE, "too many levels of remote in path" },
		{ ENOLCK, "no locks available" },
		{ ENOSYS, "system call not available" },
		{ EBADMSG, "bad message type" },
	};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (words[i].errnum == errnum)
			return words[i].text;
	return "unknown error";
}

bool errno_temporary(int errnum)
{
	static const int temporary[] = {
		EINTR,        ENOMEM,       ETXTBSY,    EIO,     ETIMEDOUT,    EAGAIN,       EDEADLK,
		EBUSY,        ENFILE,       EMFILE,     EFBIG,   ENOSPC,       ENETDOWN,     ENETUNREACH,
		ENETRESET,    ECONNABORTED, ECONNRESET, ENOBUFS, ETOOMANYREFS, ECONNREFUSED, EHOSTDOWN,
		EHOSTUNREACH, EUSERS,       EDQUOT,     ESTALE,  ENOLCK,
	};

	for (size_t i = 0; i < sizeof temporary / sizeof *temporary; i++)
		if (temporary[i] == errnum)
			return true;
	return false;
}

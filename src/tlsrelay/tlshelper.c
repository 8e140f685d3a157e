#include "tlsrelay/tlshelper.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sandbox/sandbox.h"
#include "sys/clock.h"
#include "sys/io.h"

static const struct sandbox_rights rights = { .memory = 256 * SANDBOX_MIB };

static bool prepare(int fd, int to, int from, struct err *e)
{
	if (io_set_nonblocking(fd, true) == -1 || io_set_nonblocking(to, true) == -1 ||
	    io_set_nonblocking(from, true) == -1)
		return err_sys(e, errno, "unable to set up descriptors");
	return true;
}

static bool shake_hands(const struct tlshelper *h, struct tls_side *side, int fd, struct err *e)
{
	*side = h->begin(h->ctx);
	return tlsrelay_handshake(side, fd, clock_monotonic_ms() + h->handshake_ms, e);
}

/* Tells through `ready` that it can go on: words, NUL, variables; or why not, with `-` in front. */
static _Noreturn void help(const struct tlshelper *h, int fd, int to, int from, int ready)
{
	struct buf report = BUF_INIT(TLSHELPER_MAX);
	struct tls_side side;
	struct err e;
	bool ok = sandbox_enter(&rights, &e) && prepare(fd, to, from, &e) && shake_hands(h, &side, fd, &e);

	if (ok) {
		tlsrelay_describe(&side, &report);
		buf_addc(&report, 0);
		if (h->variables)
			tlsrelay_variables(&side, &report);
	} else {
		buf_addf(&report, "-%s", e.text);
	}
	io_write_all(ready, report.p, report.n);
	close(ready);
	if (ok)
		tlsrelay_run(&side, &(struct tlsrelay_ends){ fd, fd, from, to }, h->idle_ms);
	_exit(ok ? 0 : 111);
}

/* What the program asks for first: `y`, `Y`, or nothing. */
static char wait_for_order(int control)
{
	char c = 0;

	return io_read(control, &c, 1) == 1 ? c : 0;
}

static _Noreturn void help_later(const struct tlshelper *h, int fd, int to, int from, int control)
{
	struct buf variables = BUF_INIT(TLSHELPER_MAX);
	struct tls_side side;
	struct err e;
	char order;

	if (!sandbox_enter(&rights, &e))
		_exit(111);
	order = wait_for_order(control);
	if (order != 'y' && order != 'Y')
		_exit(0);
	/* Before, the program had the connection, and would not know what to do with EAGAIN. */
	if (!prepare(fd, to, from, &e) || !shake_hands(h, &side, fd, &e))
		_exit(111);
	if (order == 'Y') {
		tlsrelay_variables(&side, &variables);
		buf_addc(&variables, 0);
		io_write_all(control, variables.p, variables.n);
	}
	close(control);
	tlsrelay_run(&side, &(struct tlsrelay_ends){ fd, fd, from, to }, h->idle_ms);
	_exit(0);
}

/* The pipes to and from the program: ours, then its own. */
static bool make_pipes(int in[2], int out[2])
{
	return io_pipe(in) == 0 && io_pipe(out) == 0;
}

static bool read_report(int ready, struct tlshelper_result *result, struct err *e)
{
	struct buf report = BUF_INIT(TLSHELPER_MAX);
	struct str words, variables;
	bool ok = io_read_rest(ready, &report) && report.n > 0;

	/* It has read what strangers send: what it says is as little to be trusted. */
	for (size_t i = 0; i < report.n && report.p[i]; i++)
		if ((unsigned char)report.p[i] < 32)
			report.p[i] = '?';
	if (!ok)
		err_temp(e, "the process for it died");
	else if (*report.p == '-')
		ok = err_temp(e, "%s", buf_cstr(&report) + 1);
	else {
		str_cut(buf_str(&report), 0, &words, &variables);
		buf_add(&result->words, words);
		buf_add(&result->variables, variables);
	}
	buf_free(&report);
	return ok;
}

bool tlshelper_start(const struct tlshelper *h, int fd, int io[2], struct tlshelper_result *result, struct err *e)
{
	int in[2], out[2], ready[2];
	pid_t pid;
	bool ok;

	if (!make_pipes(in, out) || io_pipe(ready) == -1 || (pid = fork()) == -1)
		return err_sys(e, errno, "unable to start a process");
	if (pid == 0) {
		close(in[0]);
		close(out[1]);
		close(ready[0]);
		help(h, fd, in[1], out[0], ready[1]);
	}
	close(fd);
	close(in[1]);
	close(out[0]);
	close(ready[1]);
	io[0] = in[0];
	io[1] = out[1];
	ok = read_report(ready[0], result, e);
	close(ready[0]);
	return ok;
}

bool tlshelper_delay(const struct tlshelper *h, int fd, int io[2], int *control, struct err *e)
{
	int in[2], out[2], ends[2];
	pid_t pid;

	if (!make_pipes(in, out) || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == -1 ||
	    (pid = fork()) == -1)
		return err_sys(e, errno, "unable to start a process");
	if (pid == 0) {
		close(in[0]);
		close(out[1]);
		close(ends[0]);
		help_later(h, fd, in[1], out[0], ends[1]);
	}
	close(in[1]);
	close(out[0]);
	close(ends[1]);
	io[0] = in[0];
	io[1] = out[1];
	*control = ends[0];
	return true;
}

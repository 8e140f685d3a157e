#include "tlsrelay/tlshelper.h"

#include <errno.h>
#include <unistd.h>

#include "sandbox/sandbox.h"
#include "sys/clock.h"
#include "sys/io.h"

static const struct sandbox_rights rights = { .memory = 256 * SANDBOX_MIB };

static bool confine(int fd, int to, int from, struct err *e)
{
	if (io_set_nonblocking(fd, true) == -1 || io_set_nonblocking(to, true) == -1 ||
	    io_set_nonblocking(from, true) == -1)
		return err_sys(e, errno, "unable to set up descriptors");
	return sandbox_enter(&rights, e);
}

/* Tells through `ready` that it can go on, in words, or why not, with `-` in front. */
static _Noreturn void help(const struct tlshelper *h, int fd, int to, int from, int ready)
{
	struct tls_side side = h->begin(h->ctx);
	struct buf words = BUF_INIT(1000);
	struct err e;
	bool ok =
	    confine(fd, to, from, &e) && tlsrelay_handshake(&side, fd, clock_monotonic_ms() + h->handshake_ms, &e);

	if (ok)
		tlsrelay_describe(&side, &words);
	else
		buf_addf(&words, "-%s", e.text);
	io_write_all(ready, words.p, words.n);
	close(ready);
	if (ok)
		tlsrelay_run(&side, fd, to, from, h->idle_ms);
	_exit(ok ? 0 : 111);
}

bool tlshelper_start(const struct tlshelper *h, int fd, int io[2], struct buf *words, struct err *e)
{
	int in[2], out[2], ready[2];
	pid_t pid;

	if (io_pipe(in) == -1 || io_pipe(out) == -1 || io_pipe(ready) == -1 || (pid = fork()) == -1)
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
	if (!io_read_rest(ready[0], words) || words->n == 0)
		err_temp(e, "the process for it died");
	else if (*words->p == '-')
		err_temp(e, "%s", buf_cstr(words) + 1);
	else
		e->kind = ERR_NONE;
	close(ready[0]);
	return e->kind == ERR_NONE;
}

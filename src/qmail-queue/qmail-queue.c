/*
 * qmail-queue: reads a message from descriptor 0 and an envelope from
 * descriptor 1 and submits them (contract §5.3). Prints nothing; the exit
 * code says everything.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "submit/submit.h"
#include "sys/home.h"
#include "sys/io.h"

enum { MEMORY = 51, TIMEOUT = 52, READ = 54, HOME = 61, QUEUE = 62, BAD_ENVELOPE = 91 };

#define LIFETIME 86400 /* seconds until a message that never ends is given up */

static _Noreturn void on_alarm(int sig)
{
	(void)sig;
	_exit(TIMEOUT);
}

static _Noreturn void on_bug(int sig)
{
	(void)sig;
	_exit(81);
}

static void set_signals(void)
{
	static const int ignored[] = { SIGPIPE, SIGVTALRM, SIGPROF, SIGQUIT, SIGINT, SIGHUP, SIGXCPU, SIGXFSZ };
	static const int fatal[] = { SIGILL, SIGABRT, SIGFPE, SIGBUS, SIGSEGV, SIGSYS };
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
		signal(ignored[i], SIG_IGN);
	for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++)
		signal(fatal[i], on_bug);
	signal(SIGALRM, on_alarm);
	alarm(LIFETIME);
}

static void copy_message(struct submit *s)
{
	static char chunk[65536];
	ssize_t n;

	while ((n = io_read(0, chunk, sizeof chunk)) > 0)
		submit_data(s, (struct str){ chunk, (size_t)n });
	if (n < 0)
		_exit(READ);
}

/* The envelope comes in pieces; one address at a time is kept. */
struct envelope {
	char chunk[4096];
	size_t at, n;
};

static char next_byte(struct envelope *in)
{
	if (in->at == in->n) {
		ssize_t n = io_read(1, in->chunk, sizeof in->chunk);

		if (n <= 0)
			_exit(READ);
		in->n = (size_t)n;
		in->at = 0;
	}
	return in->chunk[in->at++];
}

/* An address up to its NUL; too long is fatal with the contract's code. */
static struct str next_address(struct envelope *in, struct buf *b)
{
	char c;

	buf_clear(b);
	while ((c = next_byte(in)) != 0) {
		buf_addc(b, c);
		if (!buf_ok(b))
			_exit(11);
	}
	return buf_str(b);
}

static void copy_envelope(struct submit *s)
{
	static struct envelope in;
	struct buf address = BUF_INIT(SUBMIT_ADDRESS_MAX);
	char letter;

	if (next_byte(&in) != 'F')
		_exit(BAD_ENVELOPE);
	submit_sender(s, next_address(&in, &address));
	while ((letter = next_byte(&in)) != 0) {
		if (letter != 'T')
			_exit(BAD_ENVELOPE);
		submit_recipient(s, next_address(&in, &address));
	}
	buf_free(&address);
}

int main(void)
{
	struct submit s = SUBMIT_INIT;
	struct submit_result r;
	struct err e;

	umask(033);
	set_signals();
	/* 0 and 1 are used without being opened here: a closed one must not become our socket, nor an empty message. */
	if (fcntl(0, F_GETFD) == -1)
		return READ;
	io_open_standard_fds();
	if (!home_open(&e))
		return HOME;
	if (!submit_begin(&s, false, &e))
		return QUEUE;
	submit_attribute(&s, ATTR_PROTOCOL, STR("local"));
	if (submit_is_new())
		submit_attribute(&s, ATTR_SUBMISSION, STR(""));
	copy_message(&s);
	copy_envelope(&s);
	submit_commit(&s, &r);
	submit_close(&s);
	return r.status & 255;
}

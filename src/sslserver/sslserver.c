/*
 * sslserver [ options ] HOST PORT PROGRAM…: tcpserver with TLS between client
 * and program (contract-companions §8.1). The program reads and writes plain
 * text on pipes; TLS is spoken by a process of its own, which can do nothing
 * else. It starts only after the handshake.
 *
 *   $CERTFILE   PEM of the certificate and its chain; control/servercert.pem
 *               of the home without it
 *   $KEYFILE    PEM of the key; in the same file without it
 *   $CIPHERS    OpenSSL's list for TLS 1.2
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "filter/options.h"
#include "sandbox/sandbox.h"
#include "sys/clock.h"
#include "sys/home.h"
#include "sys/io.h"
#include "tcpservice/tcpservice.h"
#include "tlsrelay/tlsrelay.h"

#define CERTIFICATE "control/servercert.pem"
#define PEM_MAX (1u << 20)

/* The process that speaks TLS has its descriptors, and needs no more. */
static const struct sandbox_rights rights = { .memory = 256 * SANDBOX_MIB };

struct sslserver {
	struct tcpservice service; /* the first member: what callbacks get */
	struct tls_server_context *tls;
	int64_t handshake_ms, idle_ms;
	bool tcp_variables;
};

static bool more_options(struct tcpservice *t, int c, const char *value)
{
	struct sslserver *s = (struct sslserver *)t;

	switch (c) {
	case 'e':
	case 'E':
		s->tcp_variables = c == 'e';
		return true;
	case 'T':
		s->handshake_ms = 1000 * (int64_t)options_number(value, INT32_MAX);
		return true;
	case 'w':
		s->idle_ms = 1000 * (int64_t)options_number(value, INT32_MAX);
		return true;
	}
	return false;
}

/* ---- the certificate, while we are still root ---- */

static void add_file(const struct sslserver *s, int dirfd, const char *path, struct buf *pem)
{
	int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);

	if (fd == -1 || !io_read_rest(fd, pem))
		service_fatal(&s->service, "unable to read %s: %s", path, errno_text(errno));
	close(fd);
}

static void load_certificate(struct sslserver *s)
{
	const char *certificate = getenv("CERTFILE"), *key = getenv("KEYFILE"), *ciphers = getenv("CIPHERS");
	struct buf pem = BUF_INIT(PEM_MAX);
	struct err e;

	if (key)
		add_file(s, AT_FDCWD, key, &pem);
	if (certificate)
		add_file(s, AT_FDCWD, certificate, &pem);
	else if (home_open(&e))
		add_file(s, home_dir(), CERTIFICATE, &pem);
	else
		service_fatal(&s->service, "no certificate: CERTFILE is not set, and %s", e.text);
	s->tls = tls_server_context_new(buf_str(&pem), str_of(ciphers), &e);
	if (s->tls == NULL)
		service_fatal(&s->service, "unable to use the certificate: %s", e.text);
	if (pem.p)
		explicit_bzero(pem.p, pem.n);
	buf_free(&pem);
}

/* ---- one connection ---- */

static void set_environment(const struct sslserver *s, const struct connection *c, const char *description,
			    struct childenv *env)
{
	struct str version, cipher;

	connection_environment_as(c, "SSL", env);
	if (!s->tcp_variables)
		connection_forget(env);
	childenv_set(env, "PROTO", "SSL");
	str_cut(str_of(description), ' ', &version, &cipher);
	childenv_set_str(env, STR("SSL_PROTOCOL"), version);
	childenv_set_str(env, STR("SSL_CIPHER"), cipher);
}

/* Speaks TLS; tells through `ready` when it can, in words, and why not with a `-` in front. */
static _Noreturn void speak_tls(const struct sslserver *s, int fd, int to, int from, int ready)
{
	struct tls_side side = { .server = tls_server_new(s->tls) };
	struct buf words = BUF_INIT(1000);
	struct err e;
	bool ok = io_set_nonblocking(fd, true) != -1 && io_set_nonblocking(to, true) != -1 &&
		  io_set_nonblocking(from, true) != -1;

	if (!ok)
		err_sys(&e, errno, "unable to set up descriptors");
	ok = ok && sandbox_enter(&rights, &e) &&
	     tlsrelay_handshake(&side, fd, clock_monotonic_ms() + s->handshake_ms, &e);
	if (ok)
		tlsrelay_describe(&side, &words);
	else
		buf_addf(&words, "-%s", e.text);
	io_write_all(ready, words.p, words.n);
	close(ready);
	if (ok)
		tlsrelay_run(&side, fd, to, from, s->idle_ms);
	_exit(ok ? 0 : 111);
}

/* Waits for the handshake. False: the client does not get that far. */
static bool handshake_done(const struct sslserver *s, int ready, struct buf *words)
{
	bool read = io_read_rest(ready, words);

	close(ready);
	if (read && words->n && *words->p != '-') {
		service_say(&s->service, "ssl %ld accept %s", (long)getpid(), buf_cstr(words));
		return true;
	}
	service_drop(&s->service, "unable to speak TLS: %s", words->n ? buf_cstr(words) + 1 : "the helper died");
	return false;
}

static bool wrap(struct tcpservice *t, const struct connection *c, int fd, int io[2], struct childenv *env)
{
	struct sslserver *s = (struct sslserver *)t;
	int in[2], out[2], ready[2];
	struct buf words = BUF_INIT(1000);
	pid_t pid;

	if (io_pipe(in) == -1 || io_pipe(out) == -1 || io_pipe(ready) == -1 || (pid = fork()) == -1) {
		service_drop(t, "unable to start the TLS helper: %s", errno_text(errno));
		return false;
	}
	if (pid == 0) {
		close(in[0]);
		close(out[1]);
		close(ready[0]);
		speak_tls(s, fd, in[1], out[0], ready[1]);
	}
	close(fd);
	close(in[1]);
	close(out[0]);
	close(ready[1]);
	io[0] = in[0];
	io[1] = out[1];
	if (!handshake_done(s, ready[0], &words))
		return false;
	set_environment(s, c, buf_cstr(&words), env);
	buf_free(&words);
	return true;
}

int main(int argc, char **argv)
{
	static struct sslserver s;

	s = (struct sslserver){
		.service = TCPSERVICE_INIT("sslserver"),
		.handshake_ms = 26000,
		.idle_ms = 3600000,
		.tcp_variables = true,
	};
	s.service.wrap = wrap;
	s.service.flags = TCPSERVICE_FLAGS "eE";
	s.service.more_options = "[ -T handshaketimeout ] [ -w timeout ] ";
	tcpservice_arguments(&s.service, argc, argv, TCPSERVICE_LETTERS "eET:w:", more_options);
	load_certificate(&s);
	tcpservice_run(&s.service);
}

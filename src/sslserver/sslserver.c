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

#include "sys/home.h"
#include "sys/io.h"
#include "sys/options.h"
#include "tcpservice/tcpservice.h"
#include "tlsrelay/tlshelper.h"

#define CERTIFICATE "control/servercert.pem"
#define PEM_MAX (1u << 20)

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

static struct tls_side begin(void *ctx)
{
	const struct sslserver *s = ctx;

	return (struct tls_side){ .server = tls_server_new(s->tls) };
}

static bool wrap(struct tcpservice *t, const struct connection *c, int fd, int io[2], struct childenv *env)
{
	struct sslserver *s = (struct sslserver *)t;
	struct tlshelper helper = { begin, s, s->handshake_ms, s->idle_ms };
	struct buf words = BUF_INIT(1000);
	struct err e;

	if (!tlshelper_start(&helper, fd, io, &words, &e)) {
		service_drop(t, "unable to speak TLS: %s", e.text);
		return false;
	}
	service_say(t, "ssl %ld accept %s", (long)getpid(), buf_cstr(&words));
	if (!s->tcp_variables)
		connection_forget(env);
	connection_environment_tls(c, buf_str(&words), env);
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

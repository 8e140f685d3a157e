/*
 * sslclient [ options ] HOST PORT PROGRAM…: tcpclient with TLS between program
 * and server (contract-companions §8.1). The program reads plain text from
 * descriptor 6 and writes it to descriptor 7; TLS is spoken by a process of
 * its own. The program starts only after the handshake.
 *
 *   $CAFILE     PEM of the authorities to trust; the system's without it
 *   $CERTNAME   whose certificate it must be; HOST without it
 *   $VERIFY     0: any certificate will do
 *   $CIPHERS    OpenSSL's list for TLS 1.2
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "sys/io.h"
#include "sys/random.h"
#include "tcpcaller/tcpcaller.h"
#include "tlsrelay/tlshelper.h"

#define HANDSHAKE_MS 60000
#define IDLE_MS 3600000
#define PEM_MAX (16u << 20)

struct sslclient {
	struct tcpcaller caller;
	struct tls_context *context;
	struct tls_want want;
};

static struct tls_anchors *authorities(const struct sslclient *s)
{
	const char *path = getenv("CAFILE"), *verify = getenv("VERIFY");
	struct buf pem = BUF_INIT(PEM_MAX);
	struct tls_anchors *anchors;
	struct err e;
	int fd;

	if (verify && strcmp(verify, "0") == 0)
		return NULL;
	if (path) {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd == -1 || !io_read_rest(fd, &pem))
			tcpcaller_fatal(&s->caller, "unable to read %s: %s", path, errno_text(errno));
		close(fd);
	}
	anchors = path ? tls_anchors_new(buf_str(&pem), &e) : tls_anchors_system(&e);
	if (anchors == NULL)
		tcpcaller_fatal(&s->caller, "unable to use the certificates of authorities: %s", e.text);
	buf_free(&pem);
	return anchors;
}

static void prepare_tls(struct sslclient *s)
{
	const char *name = getenv("CERTNAME");
	struct err e;

	tls_prepare();
	s->context = tls_context_new(STR(""), str_of(getenv("CIPHERS")), random_hash_key(), &e);
	if (s->context == NULL)
		tcpcaller_fatal(&s->caller, "%s", e.text);
	s->want.anchors = authorities(s);
	s->want.name = str_of(name ? name : s->caller.host);
}

static struct tls_side begin(void *ctx)
{
	const struct sslclient *s = ctx;

	return (struct tls_side){ .client = tls_client_new(s->context, &s->want) };
}

int main(int argc, char **argv)
{
	static struct sslclient s;
	struct tlshelper helper = { begin, &s, HANDSHAKE_MS, IDLE_MS };
	struct connection c = CONNECTION_INIT;
	struct childenv env = childenv_start();
	struct buf words = BUF_INIT(1000);
	struct err e;
	int io[2];

	s.caller = TCPCALLER_INIT("sslclient");
	tcpcaller_arguments(&s.caller, argc, argv);
	prepare_tls(&s);
	if (!tlshelper_start(&helper, tcpcaller_connect(&s.caller, &c), io, &words, &e))
		tcpcaller_fatal(&s.caller, "unable to speak TLS with %s port %u: %s", c.remote_ip,
				(unsigned)c.remote.port, e.text);
	connection_environment(&c, &env);
	connection_environment_tls(&c, buf_str(&words), &env);
	tcpcaller_run(&s.caller, io[0], io[1], &env);
}

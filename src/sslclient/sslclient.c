/*
 * sslclient [ options ] HOST PORT PROGRAM…: tcpclient with TLS between program
 * and server (contract-companions §8.1). The program reads plain text from
 * descriptor 6 and writes it to descriptor 7; TLS is spoken by a process of
 * its own. The program starts only after the handshake.
 *
 *   $CAFILE -a, $CADIR -A     PEM of the authorities to trust; the system's without them
 *   -c, -k                    the own certificate and its key, for servers that ask
 *   $CERTNAME                 whose certificate it must be; HOST without it; -N: anybody's
 *   $VERIFY                   0, or -X: any certificate will do
 *   $CIPHERS -C               OpenSSL's list for TLS 1.2
 */
#include <stdlib.h>
#include <unistd.h>

#include "sys/options.h"
#include "sys/random.h"
#include "tcpcaller/tcpcaller.h"
#include "tlsrelay/tlsfiles.h"
#include "tlsrelay/tlshelper.h"

#define HANDSHAKE_MS 60000

struct sslclient {
	struct tcpcaller caller; /* the first member: what callbacks get */
	struct tls_context *context;
	struct tls_want want;
	const char *authorities, *directory; /* files to trust */
	const char *certificate, *key;
	const char *ciphers;
	const char *depth;
	int64_t idle_ms;
	bool verify, verify_name;
	bool password; /* of the key, from descriptor 3 */
	bool tcp_variables, certificate_variables;
};

/* Options without an argument; false: unknown. */
static bool flag(struct sslclient *s, int c)
{
	switch (c) {
	case 'x':
	case 'X':
		s->verify = c == 'x';
		return true;
	case 'n':
	case 'N':
		s->verify_name = c == 'n';
		return true;
	case 'e':
	case 'E':
		s->tcp_variables = c == 'e';
		return true;
	case 's':
	case 'S':
		s->certificate_variables = c == 's';
		return true;
	case '3':
		s->password = true;
		return true;
	}
	return false;
}

static bool more_options(struct tcpcaller *t, int c, const char *value)
{
	struct sslclient *s = (struct sslclient *)t;
	const struct {
		int letter;
		const char **place;
	} files[] = { { 'a', &s->authorities }, { 'A', &s->directory }, { 'c', &s->certificate },
		      { 'k', &s->key },         { 'C', &s->ciphers },   { 'V', &s->depth } };

	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		if (files[i].letter == c) {
			*files[i].place = value;
			return true;
		}
	if (c == 'w') {
		s->idle_ms = 1000 * (int64_t)options_number(value, INT32_MAX);
		return true;
	}
	return flag(s, c);
}

/* ---- certificates ---- */

static void fail(const struct sslclient *s, const char *what, const struct err *e)
{
	tcpcaller_fatal(&s->caller, "%s%s", what, e->text);
}

/* NULL: any certificate will do. */
static struct tls_anchors *authorities(const struct sslclient *s)
{
	struct buf pem = BUF_INIT(TLSFILES_MAX);
	struct tls_anchors *anchors;
	struct err e;

	if (!s->verify)
		return NULL;
	if ((s->authorities && !tlsfiles_add(s->authorities, &pem, &e)) ||
	    (s->directory && !tlsfiles_add_directory(s->directory, &pem, &e)))
		fail(s, "", &e);
	anchors = s->authorities || s->directory ? tls_anchors_new(buf_str(&pem), &e) : tls_anchors_system(&e);
	if (anchors == NULL)
		fail(s, "unable to use the certificates of authorities: ", &e);
	buf_free(&pem);
	return anchors;
}

/* What servers that ask will see: empty, or certificate and key. */
static void own_certificate(const struct sslclient *s, struct buf *pem)
{
	struct err e;

	if (s->certificate == NULL)
		return;
	if ((s->key && !tlsfiles_add(s->key, pem, &e)) || !tlsfiles_add(s->certificate, pem, &e))
		fail(s, "", &e);
	if (s->password && !tlsfiles_open_key(pem, &e))
		fail(s, "", &e);
}

static void prepare_tls(struct sslclient *s)
{
	const char *name = getenv("CERTNAME");
	struct buf pem = BUF_INIT(TLSFILES_MAX);
	struct err e;

	tls_prepare();
	own_certificate(s, &pem);
	s->context = tls_context_new(buf_str(&pem), str_of(s->ciphers), random_hash_key(), &e);
	if (s->context == NULL)
		fail(s, "", &e);
	buf_free_secret(&pem);
	s->want.anchors = authorities(s);
	s->want.name = str_of(name ? name : s->caller.host);
	s->want.any_name = !s->verify_name;
	s->want.depth = s->depth ? (int)options_number(s->depth, 100) : -1;
}

static struct tls_side begin(void *ctx)
{
	const struct sslclient *s = ctx;

	return (struct tls_side){ .client = tls_client_new(s->context, &s->want) };
}

static struct sslclient from_environment(void)
{
	const char *verify = getenv("VERIFY");

	return (struct sslclient){
		.caller = TCPCALLER_INIT("sslclient"),
		.authorities = tlsfiles_setting("CAFILE"),
		.directory = tlsfiles_setting("CADIR"),
		.ciphers = getenv("CIPHERS"),
		.depth = tlsfiles_setting("VERIFYDEPTH"),
		.idle_ms = 3600000,
		.verify = verify == NULL || strcmp(verify, "0") != 0,
		.verify_name = true,
		.tcp_variables = true,
	};
}

int main(int argc, char **argv)
{
	static struct sslclient s;
	struct tlshelper_result result = TLSHELPER_RESULT_INIT;
	struct connection c = CONNECTION_INIT;
	struct childenv env = childenv_start();
	struct tlshelper helper;
	struct err e;
	int io[2];

	s = from_environment();
	tcpcaller_arguments(&s.caller, argc, argv, TCPCALLER_LETTERS "a:A:c:k:C:V:w:xXnNeEsS3", more_options);
	prepare_tls(&s);
	helper = (struct tlshelper){ begin, &s, HANDSHAKE_MS, s.idle_ms, s.certificate_variables };
	if (!tlshelper_start(&helper, tcpcaller_connect(&s.caller, &c), io, &result, &e))
		tcpcaller_fatal(&s.caller, "unable to speak TLS with %s port %u: %s", c.remote_ip,
				(unsigned)c.remote.port, e.text);
	connection_forget(&env);
	if (s.tcp_variables)
		connection_environment(&c, &env);
	connection_environment_tls(&c, buf_str(&result.words), &env);
	childenv_set_list(&env, STR("SSL_"), buf_str(&result.variables));
	tcpcaller_run(&s.caller, io[0], io[1], &env);
}

/*
 * sslserver [ options ] HOST PORT PROGRAM…: tcpserver with TLS between client
 * and program (contract-companions §8.1). The program reads and writes plain
 * text on pipes; TLS is spoken by a process of its own, which can do nothing
 * else. It starts only after the handshake, or, with -n, says when TLS is to
 * begin.
 *
 *   $CERTFILE       PEM of the certificate and its chain; control/servercert.pem
 *                   of the home without it. $CERTCHAINFILE comes before it.
 *   $KEYFILE        PEM of the key; in the same file without it, or when empty
 *   $CIPHERS        OpenSSL's list for TLS 1.2
 *   $CAFILE $CADIR  PEM of the authorities for clients (-i)
 *   $CCAFILE        those of them that clients are told of
 *   $VERIFYDEPTH    how many may stand between
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "sys/home.h"
#include "sys/options.h"
#include "tcpservice/tcpservice.h"
#include "tlsrelay/tlsfiles.h"
#include "tlsrelay/tlshelper.h"

#define CERTIFICATE "control/servercert.pem"

struct sslserver {
	struct tcpservice service; /* the first member: what callbacks get */
	struct tls_server_context *tls;
	int64_t handshake_ms, idle_ms;
	bool tcp_variables, certificate_variables;
	bool later;         /* the program says when TLS begins */
	bool password;      /* of the key, from descriptor 3 */
	bool demand;        /* clients must show certificates … */
	bool demand_name;   /* … for the name that their addresses have in DNS */
	struct str expects; /* in a child: that name */
};

/* Options without an argument; false: unknown. */
static bool flag(struct sslserver *s, int c)
{
	switch (c) {
	case 'a': /* The certificate is always read before root is given up. */
	case 'A':
		return true;
	case 'e':
	case 'E':
		s->tcp_variables = c == 'e';
		return true;
	case 's':
	case 'S':
		s->certificate_variables = c == 's';
		return true;
	case 'n':
	case 'N':
		s->later = c == 'n';
		return true;
	case 'i':
	case 'I':
	case 'm':
	case 'z':
		s->demand = c != 'I';
		s->demand_name = c == 'z';
		return true;
	case '3':
		s->password = true;
		return true;
	}
	return false;
}

static bool more_options(struct tcpservice *t, int c, const char *value)
{
	struct sslserver *s = (struct sslserver *)t;

	switch (c) {
	case 'T':
		s->handshake_ms = 1000 * (int64_t)options_number(value, INT32_MAX);
		return true;
	case 'w':
		s->idle_ms = 1000 * (int64_t)options_number(value, INT32_MAX);
		return true;
	}
	return flag(s, c);
}

/* ---- the certificates, while we are still root ---- */

static void add_file(const struct sslserver *s, const char *path, struct buf *pem)
{
	struct err e;

	if (!tlsfiles_add(path, pem, &e))
		service_fatal(&s->service, "%s", e.text);
}

static void add_own_certificate(const struct sslserver *s, struct buf *pem)
{
	const char *certificate = tlsfiles_setting("CERTCHAINFILE");
	char path[8192];
	struct err e;

	if (certificate == NULL)
		certificate = tlsfiles_setting("CERTFILE");
	if (certificate == NULL) {
		if (!home_open(&e))
			service_fatal(&s->service, "no certificate: CERTFILE is not set, and %s", e.text);
		snprintf(path, sizeof path, "%s/" CERTIFICATE, home_path());
		certificate = path;
	}
	add_file(s, certificate, pem);
}

static void load_certificate(struct sslserver *s)
{
	const char *key = tlsfiles_setting("KEYFILE");
	struct buf pem = BUF_INIT(TLSFILES_MAX);
	struct err e;

	if (key)
		add_file(s, key, &pem);
	add_own_certificate(s, &pem);
	if (s->password && !tlsfiles_open_key(&pem, &e))
		service_fatal(&s->service, "%s", e.text);
	s->tls = tls_server_context_new(buf_str(&pem), str_of(getenv("CIPHERS")), &e);
	if (s->tls == NULL)
		service_fatal(&s->service, "unable to use the certificate: %s", e.text);
	buf_free_secret(&pem);
}

/* Whose certificates clients may have. Those that $CCAFILE names are believed too. */
static void load_authorities(struct sslserver *s)
{
	const char *file = tlsfiles_setting("CAFILE"), *directory = tlsfiles_setting("CADIR"),
		   *named = tlsfiles_setting("CCAFILE");
	const char *depth = tlsfiles_setting("VERIFYDEPTH");
	struct buf pem = BUF_INIT(TLSFILES_MAX), offered = BUF_INIT(TLSFILES_MAX);
	struct tls_anchors *anchors;
	struct err e;

	if (file == NULL && directory == NULL && named == NULL)
		service_fatal(&s->service, "no authorities to ask clients for: set CAFILE, CADIR or CCAFILE");
	if (named)
		add_file(s, named, &offered);
	buf_add(&pem, buf_str(&offered));
	buf_addc(&pem, '\n');
	if (file)
		add_file(s, file, &pem);
	if (directory && !tlsfiles_add_directory(directory, &pem, &e))
		service_fatal(&s->service, "%s", e.text);
	anchors = tls_anchors_new(buf_str(&pem), &e);
	if (anchors == NULL || !tls_server_context_demand(s->tls, anchors, buf_str(&offered),
							  depth ? (int)options_number(depth, 100) : -1, &e))
		service_fatal(&s->service, "unable to use the certificates of authorities: %s", e.text);
	tls_anchors_free(anchors);
	buf_free(&pem);
	buf_free(&offered);
}

/* ---- one connection ---- */

static struct tls_side begin(void *ctx)
{
	const struct sslserver *s = ctx;
	struct tls_side side = { .server = tls_server_new(s->tls) };

	if (s->demand_name && !tls_server_expect(side.server, s->expects))
		_exit(111);
	return side;
}

static void set_number(struct childenv *env, const char *name, int fd)
{
	char text[20];

	snprintf(text, sizeof text, "%d", fd);
	childenv_set(env, name, text);
}

/* The program has the connection, and besides it what TLS will be on; these stay open over exec. */
static bool wrap_later(struct tcpservice *t, const struct tlshelper *helper, int fd, struct childenv *env)
{
	int pipes[2], control;
	struct err e;

	if (!tlshelper_delay(helper, fd, pipes, &control, &e)) {
		service_drop(t, "unable to prepare TLS: %s", e.text);
		return false;
	}
	set_number(env, "SSLCTLFD", dup(control));
	set_number(env, "SSLREADFD", dup(pipes[0]));
	set_number(env, "SSLWRITEFD", dup(pipes[1]));
	return true;
}

static bool wrap(struct tcpservice *t, const struct connection *c, int fd, int io[2], struct childenv *env)
{
	struct sslserver *s = (struct sslserver *)t;
	struct tlshelper helper = { begin, s, s->handshake_ms, s->idle_ms, s->certificate_variables };
	struct tlshelper_result result = TLSHELPER_RESULT_INIT;
	struct err e;

	s->expects = str_of(childenv_get(env, "TCPREMOTEHOST"));
	if (s->demand_name && s->expects.n == 0) {
		service_drop(t, "the client has no name to ask for in its certificate");
		return false;
	}
	if (s->later)
		return wrap_later(t, &helper, fd, env);
	if (!tlshelper_start(&helper, fd, io, &result, &e)) {
		service_drop(t, "unable to speak TLS: %s", e.text);
		return false;
	}
	service_say(t, "ssl %ld accept %s", (long)getpid(), buf_cstr(&result.words));
	if (!s->tcp_variables)
		connection_forget(env);
	connection_environment_tls(c, buf_str(&result.words), env);
	childenv_set_list(env, STR("SSL_"), buf_str(&result.variables));
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
	s.service.flags = TCPSERVICE_FLAGS "3aAeEiImnNsSz";
	s.service.more_options = "[ -T handshaketimeout ] [ -w timeout ] ";
	tcpservice_arguments(&s.service, argc, argv, TCPSERVICE_LETTERS "3aAeEiImnNsSzT:w:", more_options);
	load_certificate(&s);
	if (s.demand)
		load_authorities(&s);
	tcpservice_run(&s.service);
}

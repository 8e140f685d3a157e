#include "tls/tlsclient.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "tls/tls_internal.h"

#define WIRE_MAX (4u << 20)  /* that waits to be written */
#define PLAIN_MAX (1u << 20) /* that waits for its reader */
#define ERROR_MAX 200

struct tls_client {
	struct tls_context *context;
	SSL *ssl;
	BIO *in, *out; /* the SSL's */
	enum tls_state state;
	struct buf wire, plain;
	char *resume_key;
	size_t resume_length;
	bool verify;
	char error[ERROR_MAX];
};

static void fail(struct tls_client *c, const char *why)
{
	if (c->state == TLS_FAILED)
		return;
	c->state = TLS_FAILED;
	snprintf(c->error, sizeof c->error, "%s", why);
	/* A session that led to a failure is not tried again. */
	tls_saved_drop(c->context, (struct str){ c->resume_key, c->resume_length });
}

/* What the library has written goes to the wire, also its alert after a failure. */
static void collect_wire(struct tls_client *c)
{
	char *p;
	long n = BIO_get_mem_data(c->out, &p);

	if (n > 0)
		buf_add(&c->wire, (struct str){ p, (size_t)n });
	BIO_reset(c->out);
	if (!buf_ok(&c->wire))
		fail(c, "the server does not read");
}

static void fail_by(struct tls_client *c, int result)
{
	long verified = SSL_get_verify_result(c->ssl);
	int kind = SSL_get_error(c->ssl, result);

	if (c->verify && verified != X509_V_OK)
		fail(c, X509_verify_cert_error_string(verified));
	else if (kind == SSL_ERROR_SSL)
		fail(c, tls_error_text());
	else
		fail(c, "the connection ended");
	ERR_clear_error();
}

static bool wants_more(const struct tls_client *c, int result)
{
	int kind = SSL_get_error(c->ssl, result);

	return kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_WANT_WRITE;
}

static void shake_hands(struct tls_client *c)
{
	int r;

	ERR_clear_error();
	r = SSL_do_handshake(c->ssl);
	if (r == 1)
		c->state = TLS_OPEN;
	else if (!wants_more(c, r))
		fail_by(c, r);
	collect_wire(c);
}

static bool is_address(const char *name)
{
	ASN1_OCTET_STRING *ip = a2i_IPADDRESS(name);

	ASN1_OCTET_STRING_free(ip);
	ERR_clear_error();
	return ip != NULL;
}

/* False: the name cannot be one of a certificate. */
static bool expect_name(struct tls_client *c, struct str name, bool any)
{
	char *z = mem_copy(name);
	bool address = is_address(z), ok = true;

	if (memchr(name.p, 0, name.n) != NULL)
		ok = false;
	if (!address && name.n)
		SSL_set_tlsext_host_name(c->ssl, z);
	if (c->verify && any)
		;
	else if (c->verify && address)
		ok &= X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(c->ssl), z) == 1;
	else if (c->verify) {
		SSL_set_hostflags(c->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
		ok &= name.n > 0 && SSL_set1_host(c->ssl, z) == 1;
	}
	free(z);
	ERR_clear_error();
	return ok;
}

static void demand(struct tls_client *c, const struct tls_want *want)
{
	c->verify = want->anchors != NULL;
	/* Where anybody's certificate will do, a weak one is still better than clear text. */
	SSL_set_security_level(c->ssl, c->verify ? 2 : 1);
	SSL_set_verify(c->ssl, c->verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
	if (c->verify)
		SSL_set1_verify_cert_store(c->ssl, want->anchors->store);
	if (want->depth > 0)
		SSL_set_verify_depth(c->ssl, want->depth);
	if (!expect_name(c, want->name, want->any_name))
		fail(c, "no certificate can be for that name");
}

struct tls_client *tls_client_new(struct tls_context *context, const struct tls_want *want)
{
	struct tls_client *c = mem_zero(1, sizeof *c);
	SSL_SESSION *session = tls_saved_find(context, want->resume_key);

	c->context = context;
	c->wire = BUF_INIT(WIRE_MAX);
	c->plain = BUF_INIT(PLAIN_MAX);
	c->resume_key = mem_copy(want->resume_key);
	c->resume_length = want->resume_key.n;
	c->in = BIO_new(BIO_s_mem());
	c->out = BIO_new(BIO_s_mem());
	c->ssl = SSL_new(context->ssl);
	if (c->ssl == NULL || c->in == NULL || c->out == NULL)
		mem_alloc(SIZE_MAX); /* ends the process, as anywhere without memory */
	BIO_set_mem_eof_return(c->in, -1);
	SSL_set_bio(c->ssl, c->in, c->out);
	SSL_set_app_data(c->ssl, c);
	SSL_set_connect_state(c->ssl);
	demand(c, want);
	if (session)
		SSL_set_session(c->ssl, session);
	if (c->state != TLS_FAILED)
		shake_hands(c);
	return c;
}

void tls_client_free(struct tls_client *c)
{
	if (c == NULL)
		return;
	/* A session whose connection is freed without its end may be resumed all the same. */
	SSL_set_shutdown(c->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(c->ssl);
	buf_free(&c->wire);
	buf_free(&c->plain);
	free(c->resume_key);
	free(c);
}

int tls_client_new_session(struct tls_client *c, SSL_SESSION *session)
{
	tls_saved_put(c->context, (struct str){ c->resume_key, c->resume_length }, session);
	return 1;
}

enum tls_state tls_client_state(const struct tls_client *c)
{
	return c->state;
}

static void decrypt(struct tls_client *c)
{
	for (;;) {
		char piece[16384];
		int n;

		ERR_clear_error();
		n = SSL_read(c->ssl, piece, sizeof piece);
		if (n > 0) {
			buf_add(&c->plain, (struct str){ piece, (size_t)n });
			continue;
		}
		if (SSL_get_error(c->ssl, n) == SSL_ERROR_ZERO_RETURN)
			c->state = TLS_CLOSED;
		else if (!wants_more(c, n))
			fail_by(c, n);
		break;
	}
	if (!buf_ok(&c->plain))
		fail(c, "more input than can be kept");
	collect_wire(c);
}

void tls_client_input(struct tls_client *c, struct str bytes)
{
	if (c->state == TLS_FAILED || c->state == TLS_CLOSED || bytes.n > PLAIN_MAX)
		return;
	if (BIO_write(c->in, bytes.p, (int)bytes.n) != (int)bytes.n) {
		fail(c, "out of memory");
		return;
	}
	if (c->state == TLS_HANDSHAKE)
		shake_hands(c);
	if (c->state == TLS_OPEN)
		decrypt(c);
}

struct buf *tls_client_plain(struct tls_client *c)
{
	return &c->plain;
}

void tls_client_send(struct tls_client *c, struct str plain)
{
	while (c->state == TLS_OPEN && plain.n) {
		int n;

		ERR_clear_error();
		n = SSL_write(c->ssl, plain.p, plain.n > 65536 ? 65536 : (int)plain.n);
		if (n <= 0) {
			fail_by(c, n);
			return;
		}
		plain = str_from(plain, (size_t)n);
		collect_wire(c);
	}
}

void tls_client_close(struct tls_client *c)
{
	if (c->state != TLS_OPEN)
		return;
	SSL_shutdown(c->ssl);
	ERR_clear_error();
	collect_wire(c);
}

struct str tls_client_wire(const struct tls_client *c)
{
	return buf_str(&c->wire);
}

void tls_client_wrote(struct tls_client *c, size_t n)
{
	buf_consume(&c->wire, n);
}

const char *tls_client_error(const struct tls_client *c)
{
	return c->error;
}

SSL *tls_client_ssl(const struct tls_client *c)
{
	return c->ssl;
}

bool tls_client_resumed(const struct tls_client *c)
{
	return SSL_session_reused(c->ssl) == 1;
}

void tls_client_describe(const struct tls_client *c, struct buf *to)
{
	buf_addz(to, SSL_get_version(c->ssl));
	buf_addc(to, ' ');
	buf_addz(to, SSL_get_cipher_name(c->ssl));
}

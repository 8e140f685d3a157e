#include "tls/tlsserver.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "tls/tls_internal.h"

#define WIRE_MAX (4u << 20)
#define PLAIN_MAX (1u << 20)
#define ERROR_MAX 200

struct tls_server_context {
	SSL_CTX *ssl;
};

struct tls_server {
	SSL *ssl;
	BIO *in, *out; /* the SSL's */
	enum tls_server_state state;
	struct buf wire, plain;
	char error[ERROR_MAX];
};

/* ---- context ---------------------------------------------------------------------- */

static bool set_ciphers(SSL_CTX *ssl, struct str ciphers, struct err *e)
{
	char *list = mem_copy(ciphers);
	bool ok = ciphers.n == 0 || SSL_CTX_set_cipher_list(ssl, list) == 1;

	free(list);
	return ok || err_perm(e, "unable to use the list of ciphers: %s", tls_error_text());
}

struct tls_server_context *tls_server_context_new(struct str certificate, struct str ciphers, struct err *e)
{
	struct tls_server_context *c = mem_zero(1, sizeof *c);

	OPENSSL_init_ssl(OPENSSL_INIT_LOAD_CONFIG | OPENSSL_INIT_LOAD_SSL_STRINGS, NULL);
	c->ssl = SSL_CTX_new(TLS_server_method());
	if (c->ssl == NULL) {
		err_temp(e, "unable to set up TLS: %s", tls_error_text());
		tls_server_context_free(c);
		return NULL;
	}
	SSL_CTX_set_min_proto_version(c->ssl, TLS1_2_VERSION);
	SSL_CTX_set_options(c->ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_mode(c->ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE);
	SSL_CTX_set_session_id_context(c->ssl, (const unsigned char *)"quill", 5);
	if (set_ciphers(c->ssl, ciphers, e) && tls_use_certificate(c->ssl, certificate, e))
		return c;
	tls_server_context_free(c);
	return NULL;
}

bool tls_server_context_demand(struct tls_server_context *c, const struct tls_anchors *anchors, struct str named,
			       int depth, struct err *e)
{
	STACK_OF(X509_NAME) *names = tls_names(named);

	if (names == NULL && named.n)
		return err_perm(e, "no certificate among those to ask clients for");
	SSL_CTX_set_client_CA_list(c->ssl, names);
	SSL_CTX_set1_verify_cert_store(c->ssl, anchors->store);
	SSL_CTX_set_verify(c->ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	if (depth >= 0)
		SSL_CTX_set_verify_depth(c->ssl, depth);
	return true;
}

void tls_server_context_free(struct tls_server_context *c)
{
	if (c == NULL)
		return;
	SSL_CTX_free(c->ssl);
	free(c);
}

/* ---- connection ------------------------------------------------------------------- */

struct tls_server *tls_server_new(const struct tls_server_context *context)
{
	struct tls_server *s = mem_zero(1, sizeof *s);

	s->wire = BUF_INIT(WIRE_MAX);
	s->plain = BUF_INIT(PLAIN_MAX);
	s->in = BIO_new(BIO_s_mem());
	s->out = BIO_new(BIO_s_mem());
	s->ssl = SSL_new(context->ssl);
	if (s->ssl == NULL || s->in == NULL || s->out == NULL)
		mem_alloc(SIZE_MAX); /* ends the process, as anywhere without memory */
	BIO_set_mem_eof_return(s->in, -1);
	SSL_set_bio(s->ssl, s->in, s->out);
	SSL_set_accept_state(s->ssl);
	return s;
}

bool tls_server_expect(struct tls_server *s, struct str name)
{
	char *z = mem_copy(name);
	bool ok = name.n > 0 && memchr(name.p, 0, name.n) == NULL;

	SSL_set_hostflags(s->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	ok = ok && SSL_set1_host(s->ssl, z) == 1;
	free(z);
	ERR_clear_error();
	return ok;
}

SSL *tls_server_ssl(const struct tls_server *s)
{
	return s->ssl;
}

void tls_server_free(struct tls_server *s)
{
	if (s == NULL)
		return;
	SSL_free(s->ssl);
	buf_free(&s->wire);
	buf_free_secret(&s->plain);
	free(s);
}

enum tls_server_state tls_server_state(const struct tls_server *s)
{
	return s->state;
}

static void fail(struct tls_server *s, const char *why)
{
	if (s->state == TLS_SERVER_FAILED)
		return;
	s->state = TLS_SERVER_FAILED;
	snprintf(s->error, sizeof s->error, "%s", why);
}

/* What the library has written goes to the wire, also its alert after a failure. */
static void collect(struct tls_server *s)
{
	char *p;
	long n = BIO_get_mem_data(s->out, &p);

	if (n > 0)
		buf_add(&s->wire, (struct str){ p, (size_t)n });
	BIO_reset(s->out);
	if (!buf_ok(&s->wire))
		fail(s, "the client does not read");
}

/* After a call that returned `result`: waits for more input, or has failed. */
static void judge(struct tls_server *s, int result)
{
	long verified = SSL_get_verify_result(s->ssl);
	int kind = SSL_get_error(s->ssl, result);

	if (kind == SSL_ERROR_SSL && verified != X509_V_OK)
		fail(s, X509_verify_cert_error_string(verified));
	else if (kind == SSL_ERROR_ZERO_RETURN)
		s->state = TLS_SERVER_CLOSED;
	else if (kind != SSL_ERROR_WANT_READ && kind != SSL_ERROR_WANT_WRITE)
		fail(s, kind == SSL_ERROR_SSL ? tls_error_text() : "the connection ended");
	ERR_clear_error();
}

static void shake_hands(struct tls_server *s)
{
	int r;

	ERR_clear_error();
	r = SSL_do_handshake(s->ssl);
	if (r == 1)
		s->state = TLS_SERVER_OPEN;
	else
		judge(s, r);
}

static void decrypt(struct tls_server *s)
{
	char piece[16384];
	int n;

	for (;;) {
		ERR_clear_error();
		n = SSL_read(s->ssl, piece, sizeof piece);
		if (n <= 0)
			break;
		buf_add(&s->plain, (struct str){ piece, (size_t)n });
	}
	judge(s, n);
	explicit_bzero(piece, sizeof piece);
	if (!buf_ok(&s->plain))
		fail(s, "more input than can be kept");
}

void tls_server_input(struct tls_server *s, struct str bytes)
{
	if (s->state == TLS_SERVER_FAILED || s->state == TLS_SERVER_CLOSED || bytes.n > PLAIN_MAX)
		return;
	if (BIO_write(s->in, bytes.p, (int)bytes.n) != (int)bytes.n) {
		fail(s, "out of memory");
		return;
	}
	if (s->state == TLS_SERVER_HANDSHAKE)
		shake_hands(s);
	if (s->state == TLS_SERVER_OPEN)
		decrypt(s);
	collect(s);
}

struct buf *tls_server_plain(struct tls_server *s)
{
	return &s->plain;
}

void tls_server_send(struct tls_server *s, struct str plain)
{
	while ((s->state == TLS_SERVER_OPEN || s->state == TLS_SERVER_CLOSED) && plain.n) {
		int n;

		ERR_clear_error();
		n = SSL_write(s->ssl, plain.p, plain.n > 65536 ? 65536 : (int)plain.n);
		if (n <= 0) {
			fail(s, tls_error_text());
			return;
		}
		plain = str_from(plain, (size_t)n);
		collect(s);
	}
}

void tls_server_close(struct tls_server *s)
{
	if (s->state != TLS_SERVER_OPEN && s->state != TLS_SERVER_CLOSED)
		return;
	SSL_shutdown(s->ssl);
	ERR_clear_error();
	collect(s);
}

struct str tls_server_wire(const struct tls_server *s)
{
	return buf_str(&s->wire);
}

void tls_server_wrote(struct tls_server *s, size_t n)
{
	buf_consume(&s->wire, n);
}

const char *tls_server_error(const struct tls_server *s)
{
	return s->error;
}

void tls_server_describe(const struct tls_server *s, struct buf *to)
{
	buf_addz(to, SSL_get_version(s->ssl));
	buf_addc(to, ' ');
	buf_addz(to, SSL_get_cipher_name(s->ssl));
}

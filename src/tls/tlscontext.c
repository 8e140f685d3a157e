#include "tls/tlscontext.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>

#include "base/mem.h"
#include "tls/tls_internal.h"
#include "tls/tlsclient.h"

#define PEM_MAX (8u << 20)

void tls_prepare(void)
{
	OPENSSL_init_ssl(OPENSSL_INIT_LOAD_CONFIG | OPENSSL_INIT_LOAD_SSL_STRINGS, NULL);
	/* Fetches the algorithms, which are found in modules otherwise when the first connection needs them. */
	SSL_CTX_free(SSL_CTX_new(TLS_client_method()));
}

const char *tls_error_text(void)
{
	unsigned long code = ERR_get_error();
	const char *text = code ? ERR_reason_error_string(code) : NULL;

	ERR_clear_error();
	return text ? text : "unknown error";
}

static struct tls_saved *saved_slot(struct tls_context *c, struct str key)
{
	return &c->saved[hash_str(c->key, key) & (TLS_SESSIONS - 1)];
}

static void saved_clear(struct tls_saved *s)
{
	free(s->key);
	SSL_SESSION_free(s->session);
	*s = (struct tls_saved){ 0 };
}

static bool saved_is(const struct tls_saved *s, struct str key)
{
	return s->key && str_eq((struct str){ s->key, s->length }, key);
}

SSL_SESSION *tls_saved_find(struct tls_context *c, struct str key)
{
	struct tls_saved *s = saved_slot(c, key);

	return saved_is(s, key) ? s->session : NULL;
}

void tls_saved_put(struct tls_context *c, struct str key, SSL_SESSION *session)
{
	struct tls_saved *s = saved_slot(c, key);

	saved_clear(s);
	*s = (struct tls_saved){ mem_copy(key), key.n, session };
}

void tls_saved_drop(struct tls_context *c, struct str key)
{
	struct tls_saved *s = saved_slot(c, key);

	if (saved_is(s, key))
		saved_clear(s);
}

static BIO *bio_of(struct str pem)
{
	return pem.n <= PEM_MAX ? BIO_new_mem_buf(pem.p, (int)pem.n) : NULL;
}

/* Nobody is there to type a passphrase. */
static int no_passphrase(char *to, int size, int writing, void *ctx)
{
	(void)to, (void)size, (void)writing, (void)ctx;
	return -1;
}

static bool use_key(SSL_CTX *ssl, struct str pem)
{
	BIO *bio = bio_of(pem);
	EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
	bool ok = key && SSL_CTX_use_PrivateKey(ssl, key) == 1;

	EVP_PKEY_free(key);
	BIO_free(bio);
	return ok;
}

static bool use_chain(SSL_CTX *ssl, struct str pem)
{
	BIO *bio = bio_of(pem);
	X509 *certificate;
	size_t n = 0;

	while (bio && (certificate = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL)) != NULL) {
		bool ok = n++ ? SSL_CTX_add0_chain_cert(ssl, certificate) == 1
			      : SSL_CTX_use_certificate(ssl, certificate) == 1;

		/* The first is counted by the context, the others are handed over. */
		if (n == 1 || !ok)
			X509_free(certificate);
		if (!ok) {
			BIO_free(bio);
			return false;
		}
	}
	BIO_free(bio);
	return n > 0;
}

bool tls_use_certificate(SSL_CTX *ssl, struct str pem, struct err *e)
{
	if (use_chain(ssl, pem) && use_key(ssl, pem) && SSL_CTX_check_private_key(ssl) == 1)
		return true;
	return err_perm(e, "unable to use the certificate and its key: %s", tls_error_text());
}

static int on_new_session(SSL *ssl, SSL_SESSION *session)
{
	return tls_client_new_session(SSL_get_app_data(ssl), session);
}

static bool set_up(struct tls_context *c, struct str certificate, struct str ciphers, struct err *e)
{
	char *list;
	bool ok;

	SSL_CTX_set_min_proto_version(c->ssl, TLS1_2_VERSION);
	SSL_CTX_set_options(c->ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(c->ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE);
	SSL_CTX_set_session_cache_mode(c->ssl, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(c->ssl, on_new_session);
	if (ciphers.n) {
		list = mem_copy(ciphers);
		ok = SSL_CTX_set_cipher_list(c->ssl, list) == 1;
		free(list);
		if (!ok)
			return err_perm(e, "unable to use the list of ciphers: %s", tls_error_text());
	}
	return certificate.n == 0 || tls_use_certificate(c->ssl, certificate, e);
}

struct tls_context *tls_context_new(struct str certificate, struct str ciphers, struct hash_key key, struct err *e)
{
	struct tls_context *c = mem_zero(1, sizeof *c);

	c->key = key;
	c->ssl = SSL_CTX_new(TLS_client_method());
	if (c->ssl == NULL)
		err_temp(e, "unable to set up TLS: %s", tls_error_text());
	else if (set_up(c, certificate, ciphers, e))
		return c;
	tls_context_free(c);
	return NULL;
}

void tls_context_free(struct tls_context *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < TLS_SESSIONS; i++)
		saved_clear(&c->saved[i]);
	SSL_CTX_free(c->ssl);
	free(c);
}

static struct tls_anchors *anchors(void)
{
	struct tls_anchors *a = mem_zero(1, sizeof *a);

	a->store = X509_STORE_new();
	if (a->store)
		return a;
	free(a);
	return NULL;
}

static size_t add_all(X509_STORE *store, struct str pem)
{
	BIO *bio = bio_of(pem);
	X509 *certificate;
	size_t n = 0;

	while (bio && (certificate = PEM_read_bio_X509_AUX(bio, NULL, no_passphrase, NULL)) != NULL) {
		n += X509_STORE_add_cert(store, certificate) == 1;
		X509_free(certificate);
	}
	BIO_free(bio);
	return n;
}

STACK_OF(X509_NAME) * tls_names(struct str pem)
{
	STACK_OF(X509_NAME) *names = NULL;
	BIO *bio = bio_of(pem);
	X509 *certificate;

	while (bio && (certificate = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL)) != NULL) {
		X509_NAME *name = X509_NAME_dup(X509_get_subject_name(certificate));

		if (names == NULL)
			names = sk_X509_NAME_new_null();
		if (names == NULL || name == NULL || sk_X509_NAME_push(names, name) == 0)
			X509_NAME_free(name);
		X509_free(certificate);
	}
	BIO_free(bio);
	ERR_clear_error();
	return names;
}

struct tls_anchors *tls_anchors_new(struct str pem, struct err *e)
{
	struct tls_anchors *a = anchors();

	if (a && add_all(a->store, pem) > 0) {
		/* A server's own certificate may be named instead of an authority. */
		X509_STORE_set_flags(a->store, X509_V_FLAG_PARTIAL_CHAIN);
		ERR_clear_error();
		return a;
	}
	err_perm(e, "no certificate in it: %s", tls_error_text());
	tls_anchors_free(a);
	return NULL;
}

struct tls_anchors *tls_anchors_system(struct err *e)
{
	struct tls_anchors *a = anchors();

	if (a && X509_STORE_set_default_paths(a->store) == 1)
		return a;
	err_temp(e, "unable to read the system's certificates: %s", tls_error_text());
	tls_anchors_free(a);
	return NULL;
}

void tls_anchors_free(struct tls_anchors *a)
{
	if (a)
		X509_STORE_free(a->store);
	free(a);
}

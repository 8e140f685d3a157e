#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "tls/tlsclient.h"
#include "tls/tlscontext.h"

/* An authority, and a server that speaks through memory. */
struct identity {
	EVP_PKEY *key;
	X509 *certificate;
};

struct server {
	SSL_CTX *context;
	SSL *ssl;
	BIO *in, *out;
};

static struct identity authority;
static struct tls_context *context;

static void add_extension(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	assert_non_null(e);
	X509_add_ext(x, e, -1);
	X509_EXTENSION_free(e);
}

/* `days`: how long it is valid from now; negative: since when it is not any more. Signed by itself without `by`. */
static struct identity issue(const char *names, int days, const struct identity *by)
{
	struct identity id = { EVP_EC_gen("P-256"), X509_new() };
	X509_NAME *name;
	static long serial;

	X509_set_version(id.certificate, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(id.certificate), ++serial);
	X509_gmtime_adj(X509_getm_notBefore(id.certificate), -100 * 86400);
	X509_gmtime_adj(X509_getm_notAfter(id.certificate), (long)days * 86400);
	X509_set_pubkey(id.certificate, id.key);
	name = X509_get_subject_name(id.certificate);
	X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC, (const unsigned char *)(names ? "server" : "authority"), -1,
				   -1, 0);
	X509_set_issuer_name(id.certificate, by ? X509_get_subject_name(by->certificate) : name);
	if (names)
		add_extension(id.certificate, NID_subject_alt_name, names);
	else
		add_extension(id.certificate, NID_basic_constraints, "critical,CA:TRUE");
	X509_sign(id.certificate, by ? by->key : id.key, EVP_sha256());
	return id;
}

static void identity_free(struct identity *id)
{
	EVP_PKEY_free(id->key);
	X509_free(id->certificate);
}

static struct buf pem_of(const struct identity *id, bool with_key)
{
	struct buf b = BUF_INIT(100000);
	BIO *bio = BIO_new(BIO_s_mem());
	char *p;
	long n;

	PEM_write_bio_X509(bio, id->certificate);
	if (with_key)
		PEM_write_bio_PrivateKey(bio, id->key, NULL, NULL, 0, NULL, NULL);
	n = BIO_get_mem_data(bio, &p);
	buf_add(&b, (struct str){ p, (size_t)n });
	BIO_free(bio);
	return b;
}

static int begin_all(void **state)
{
	struct err e;

	(void)state;
	tls_prepare();
	authority = issue(NULL, 100, NULL);
	context = tls_context_new(STR(""), STR(""), (struct hash_key){ 1, 2 }, &e);
	return context == NULL;
}

static int end_all(void **state)
{
	(void)state;
	identity_free(&authority);
	tls_context_free(context);
	return 0;
}

static void server_open(struct server *s)
{
	s->ssl = SSL_new(s->context);
	s->in = BIO_new(BIO_s_mem());
	s->out = BIO_new(BIO_s_mem());
	SSL_set_bio(s->ssl, s->in, s->out);
	SSL_set_accept_state(s->ssl);
}

static void server_start(struct server *s, const struct identity *id)
{
	s->context = SSL_CTX_new(TLS_server_method());
	SSL_CTX_set_session_id_context(s->context, (const unsigned char *)"test", 4);
	assert_int_equal(SSL_CTX_use_certificate(s->context, id->certificate), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(s->context, id->key), 1);
	server_open(s);
}

static void server_stop(struct server *s)
{
	SSL_free(s->ssl);
	SSL_CTX_free(s->context);
	ERR_clear_error();
}

/* Moves bytes, at most `piece` at a time, until nobody has any. */
static void exchange(struct server *s, struct tls_client *c, size_t piece)
{
	for (;;) {
		struct str wire = str_head(tls_client_wire(c), piece);
		char from[1000];
		int n;

		if (wire.n) {
			BIO_write(s->in, wire.p, (int)wire.n);
			tls_client_wrote(c, wire.n);
		}
		if (!SSL_is_init_finished(s->ssl))
			SSL_do_handshake(s->ssl);
		n = BIO_read(s->out, from, piece < sizeof from ? (int)piece : (int)sizeof from);
		if (n > 0)
			tls_client_input(c, (struct str){ from, (size_t)n });
		if (n <= 0 && tls_client_wire(c).n == 0)
			return;
	}
}

static struct tls_client *connect_as(struct server *s, const struct tls_anchors *anchors, const char *name)
{
	struct tls_want want = { .anchors = anchors, .name = str_of(name), .resume_key = STR("k") };
	struct tls_client *c = tls_client_new(context, &want);

	exchange(s, c, 700);
	return c;
}

static struct tls_anchors *trust(const struct identity *id)
{
	struct buf pem = pem_of(id, false);
	struct err e;
	struct tls_anchors *a = tls_anchors_new(buf_str(&pem), &e);

	assert_non_null(a);
	buf_free(&pem);
	return a;
}

static void test_both_directions(void **state)
{
	struct identity id = issue("DNS:mx.test", 10, &authority);
	struct server s;
	struct tls_client *c;
	struct buf text = BUF_INIT(100);
	char got[100];

	(void)state;
	server_start(&s, &id);
	c = connect_as(&s, NULL, "other.test");
	assert_int_equal(tls_client_state(c), TLS_OPEN);
	tls_client_describe(c, &text);
	assert_string_equal(buf_cstr(&text), "TLSv1.3 TLS_AES_256_GCM_SHA384");
	tls_client_send(c, STR("EHLO me\r\n"));
	exchange(&s, c, 1);
	assert_int_equal(SSL_read(s.ssl, got, sizeof got), 9);
	SSL_write(s.ssl, "250 you\r\n", 9);
	exchange(&s, c, 1);
	assert_string_equal(buf_cstr(tls_client_plain(c)), "250 you\r\n");
	tls_client_close(c);
	exchange(&s, c, 1000);
	assert_int_equal(SSL_read(s.ssl, got, sizeof got), 0);
	SSL_shutdown(s.ssl);
	exchange(&s, c, 1000);
	assert_int_equal(tls_client_state(c), TLS_CLOSED);
	tls_client_free(c);
	server_stop(&s);
	identity_free(&id);
	buf_free(&text);
}

struct verdict {
	const char *names;
	int days;
	bool by_authority;
	const char *wanted;
	const char *error; /* NULL: good */
};

static void test_certificates(void **state)
{
	const struct verdict all[] = {
		{ "DNS:mx.test", 10, true, "mx.test", NULL },
		{ "DNS:a.test,DNS:MX.test", 10, true, "mx.TEST", NULL },
		{ "DNS:*.mail.test", 10, true, "mx.mail.test", NULL },
		{ "IP:192.0.2.1", 10, true, "192.0.2.1", NULL },
		{ "IP:192.0.2.1", 10, true, "192.0.2.2", "IP address mismatch" },
		{ "DNS:mx.test", 10, true, "my.test", "hostname mismatch" },
		{ "DNS:m*.test", 10, true, "mx.test", "hostname mismatch" },
		{ "DNS:mx.test", 10, true, "", "no certificate can be for that name" },
		{ "DNS:mx.test", -10, true, "mx.test", "certificate has expired" },
		{ "DNS:mx.test", 10, false, "mx.test", "self-signed certificate" },
	};
	struct tls_anchors *anchors = trust(&authority);

	(void)state;
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		struct identity id = issue(all[i].names, all[i].days, all[i].by_authority ? &authority : NULL);
		struct server s;
		struct tls_client *c;

		server_start(&s, &id);
		c = connect_as(&s, anchors, all[i].wanted);
		assert_int_equal(tls_client_state(c), all[i].error ? TLS_FAILED : TLS_OPEN);
		if (all[i].error)
			assert_string_equal(tls_client_error(c), all[i].error);
		tls_client_free(c);
		server_stop(&s);
		identity_free(&id);
	}
	tls_anchors_free(anchors);
}

static void test_a_pinned_certificate(void **state)
{
	struct identity id = issue("DNS:mx.test", 10, NULL);
	struct tls_anchors *anchors = trust(&id);
	struct server s;
	struct tls_client *c;

	(void)state;
	server_start(&s, &id);
	c = connect_as(&s, anchors, "mx.test");
	assert_int_equal(tls_client_state(c), TLS_OPEN);
	tls_client_free(c);
	server_stop(&s);
	tls_anchors_free(anchors);
	identity_free(&id);
}

static bool resumes(struct server *s, const char *key)
{
	struct tls_want want = { .anchors = NULL, .name = STR("mx.test"), .resume_key = str_of(key) };
	struct tls_client *c = tls_client_new(context, &want);
	bool resumed;

	exchange(s, c, 700);
	assert_int_equal(tls_client_state(c), TLS_OPEN);
	resumed = tls_client_resumed(c);
	tls_client_free(c);
	SSL_free(s->ssl);
	server_open(s);
	return resumed;
}

static void test_resumption_by_key(void **state)
{
	struct identity id = issue("DNS:mx.test", 10, &authority);
	struct server s;

	(void)state;
	server_start(&s, &id);
	assert_false(resumes(&s, "one"));
	assert_true(resumes(&s, "one"));
	assert_true(resumes(&s, "one"));
	assert_false(resumes(&s, "two"));
	SSL_CTX_set_max_proto_version(s.context, TLS1_2_VERSION);
	SSL_free(s.ssl);
	server_open(&s);
	assert_false(resumes(&s, "old"));
	assert_true(resumes(&s, "old"));
	server_stop(&s);
	identity_free(&id);
}

static void test_what_is_not_tls(void **state)
{
	const struct str all[] = { STR("220 hello\r\n"), STR("\x15\x03\x01\x00\x02\x02\x28"),
				   STR("\x16\x03\x03\xff\xff") };
	struct tls_want want = { .anchors = NULL, .name = STR("mx.test"), .resume_key = STR("k") };

	(void)state;
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		struct tls_client *c = tls_client_new(context, &want);

		tls_client_input(c, all[i]);
		assert_int_equal(tls_client_state(c), TLS_FAILED);
		assert_true(strlen(tls_client_error(c)) > 0);
		tls_client_input(c, STR("more"));
		tls_client_send(c, STR("more"));
		assert_int_equal(tls_client_plain(c)->n, 0);
		tls_client_free(c);
	}
}

static void test_old_versions_are_refused(void **state)
{
	struct identity id = issue("DNS:mx.test", 10, &authority);
	struct server s;
	struct tls_client *c;

	(void)state;
	server_start(&s, &id);
	SSL_set_security_level(s.ssl, 0);
	SSL_set_min_proto_version(s.ssl, TLS1_VERSION);
	SSL_set_max_proto_version(s.ssl, TLS1_1_VERSION);
	c = connect_as(&s, NULL, "mx.test");
	assert_int_equal(tls_client_state(c), TLS_FAILED);
	tls_client_free(c);
	server_stop(&s);
	identity_free(&id);
}

static void test_our_certificate(void **state)
{
	struct identity id = issue("DNS:me.test", 10, &authority), other = issue("DNS:me.test", 10, &authority);
	struct buf good = pem_of(&id, true), half = pem_of(&id, false), mixed = pem_of(&other, false);
	struct hash_key key = { 1, 2 };
	struct tls_context *mine;
	struct err e;
	struct server s;
	struct tls_client *c;
	X509 *seen;
	struct tls_want want = { .anchors = NULL, .name = STR("mx.test"), .resume_key = STR("k") };

	(void)state;
	assert_null(tls_context_new(buf_str(&half), STR(""), key, &e));
	buf_add(&mixed, str_from(buf_str(&good), half.n));
	assert_null(tls_context_new(buf_str(&mixed), STR(""), key, &e));
	assert_null(tls_context_new(STR("garbage"), STR(""), key, &e));
	assert_null(tls_context_new(STR(""), STR("NO-SUCH-CIPHER"), key, &e));
	mine = tls_context_new(buf_str(&good), STR("HIGH"), key, &e);
	assert_non_null(mine);
	server_start(&s, &other);
	SSL_CTX_set_verify(s.context, SSL_VERIFY_PEER, NULL);
	X509_STORE_add_cert(SSL_CTX_get_cert_store(s.context), authority.certificate);
	SSL_free(s.ssl);
	server_open(&s);
	c = tls_client_new(mine, &want);
	exchange(&s, c, 700);
	assert_int_equal(tls_client_state(c), TLS_OPEN);
	seen = SSL_get1_peer_certificate(s.ssl);
	assert_non_null(seen);
	assert_int_equal(X509_cmp(seen, id.certificate), 0);
	X509_free(seen);
	tls_client_free(c);
	tls_context_free(mine);
	server_stop(&s);
	identity_free(&id);
	identity_free(&other);
	buf_free(&good);
	buf_free(&half);
	buf_free(&mixed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_directions),      cmocka_unit_test(test_certificates),
		cmocka_unit_test(test_a_pinned_certificate), cmocka_unit_test(test_resumption_by_key),
		cmocka_unit_test(test_what_is_not_tls),      cmocka_unit_test(test_old_versions_are_refused),
		cmocka_unit_test(test_our_certificate),
	};

	return cmocka_run_group_tests(tests, begin_all, end_all);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "tls/tlsclient.h"
#include "tls/tlscontext.h"
#include "tls/tlsserver.h"
#include "tls/tlsvariables.h"

static struct buf pem;
static struct tls_server_context *server_context;
static struct tls_context *client_context;

/* Key and certificate of a server that vouches for itself. */
static void make_pem(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	BIO *bio = BIO_new(BIO_s_mem());
	char *p;
	long n;

	X509_gmtime_adj(X509_getm_notBefore(x), -1000);
	X509_gmtime_adj(X509_getm_notAfter(x), 86400);
	X509_set_pubkey(x, key);
	X509_sign(x, key, EVP_sha256());
	PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
	PEM_write_bio_X509(bio, x);
	n = BIO_get_mem_data(bio, &p);
	pem = BUF_INIT(100000);
	buf_add(&pem, (struct str){ p, (size_t)n });
	BIO_free(bio);
	X509_free(x);
	EVP_PKEY_free(key);
}

static int begin_all(void **state)
{
	struct err e;

	(void)state;
	make_pem();
	server_context = tls_server_context_new(buf_str(&pem), STR(""), &e);
	client_context = tls_context_new(STR(""), STR(""), (struct hash_key){ 1, 2 }, &e);
	return server_context == NULL || client_context == NULL;
}

static int end_all(void **state)
{
	(void)state;
	tls_server_context_free(server_context);
	tls_context_free(client_context);
	buf_free(&pem);
	return 0;
}

/* Carries bytes in pieces of `size` both ways until none are left. */
static void carry(struct tls_client *c, struct tls_server *s, size_t size)
{
	for (;;) {
		struct str up = str_head(tls_client_wire(c), size), down = str_head(tls_server_wire(s), size);

		if (up.n == 0 && down.n == 0)
			return;
		if (up.n) {
			tls_server_input(s, up);
			tls_client_wrote(c, up.n);
			continue;
		}
		tls_client_input(c, down);
		tls_server_wrote(s, down.n);
	}
}

static struct tls_client *client_new(void)
{
	const struct tls_want want = { .name = STR("server.test"), .resume_key = STR("k") };

	return tls_client_new(client_context, &want);
}

static void talks_in_any_pieces(void **state)
{
	static const size_t sizes[] = { 1, 7, 100000 };
	struct buf text = BUF_INIT(1000);

	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct tls_client *c = client_new();
		struct tls_server *s = tls_server_new(server_context);

		carry(c, s, sizes[i]);
		assert_int_equal(tls_server_state(s), TLS_SERVER_OPEN);
		assert_int_equal(tls_client_state(c), TLS_OPEN);
		tls_client_send(c, STR("STAT\r\n"));
		tls_server_send(s, STR("+OK\r\n"));
		carry(c, s, sizes[i]);
		assert_true(str_eq(buf_str(tls_server_plain(s)), STR("STAT\r\n")));
		assert_true(str_eq(buf_str(tls_client_plain(c)), STR("+OK\r\n")));
		tls_server_describe(s, &text);
		assert_true(str_starts(buf_str(&text), STR("TLSv1.3 ")));
		/* The client has nothing more to say, but listens. */
		tls_client_close(c);
		carry(c, s, sizes[i]);
		assert_int_equal(tls_server_state(s), TLS_SERVER_CLOSED);
		tls_server_send(s, STR("bye\r\n"));
		tls_server_close(s);
		assert_true(tls_server_wire(s).n > 0);
		tls_client_free(c);
		tls_server_free(s);
		buf_clear(&text);
	}
	buf_free(&text);
}

static bool has_variable(const struct buf *list, struct str whole)
{
	struct str rest = buf_str(list), item;

	while (str_cut(rest, 0, &item, &rest))
		if (str_eq(item, whole))
			return true;
	return false;
}

static void variables_tell_of_both_sides(void **state)
{
	struct tls_client *c = client_new();
	struct tls_server *s = tls_server_new(server_context);
	struct buf list = BUF_INIT(100000);

	(void)state;
	carry(c, s, 100000);
	tls_server_variables(s, &list);
	assert_true(has_variable(&list, STR("SSL_PROTOCOL=TLSv1.3")));
	assert_true(has_variable(&list, STR("SSL_CLIENT_VERIFY=NONE")));
	assert_true(has_variable(&list, STR("SSL_SERVER_A_KEY=id-ecPublicKey")));
	buf_clear(&list);
	tls_client_variables(c, &list);
	assert_true(has_variable(&list, STR("SSL_SERVER_A_SIG=ecdsa-with-SHA256")));
	assert_false(has_variable(&list, STR("SSL_CLIENT_VERIFY=NONE")));
	tls_client_free(c);
	tls_server_free(s);
	buf_free(&list);
}

static void clients_can_be_asked_for_certificates(void **state)
{
	struct tls_server_context *asking;
	struct tls_anchors *anchors;
	struct tls_server *s;
	struct tls_client *c;
	struct err e;

	(void)state;
	asking = tls_server_context_new(buf_str(&pem), STR(""), &e);
	anchors = tls_anchors_new(buf_str(&pem), &e);
	assert_true(asking && anchors);
	assert_false(tls_server_context_demand(asking, anchors, STR("no certificate"), -1, &e));
	assert_true(tls_server_context_demand(asking, anchors, buf_str(&pem), -1, &e));
	tls_anchors_free(anchors);
	c = client_new();
	s = tls_server_new(asking);
	assert_true(tls_server_expect(s, STR("client.test")));
	assert_false(tls_server_expect(s, STR("")));
	carry(c, s, 100000);
	assert_int_equal(tls_server_state(s), TLS_SERVER_FAILED);
	tls_client_free(c);
	tls_server_free(s);
	tls_server_context_free(asking);
}

static void clear_text_is_no_handshake(void **state)
{
	struct tls_server *s = tls_server_new(server_context);

	(void)state;
	tls_server_input(s, STR("CAPA\r\nUSER ann\r\nPASS secret\r\n"));
	assert_int_equal(tls_server_state(s), TLS_SERVER_FAILED);
	assert_true(*tls_server_error(s) != 0);
	assert_int_equal(tls_server_plain(s)->n, 0);
	tls_server_send(s, STR("x"));
	tls_server_input(s, STR("x"));
	tls_server_free(s);
}

static void old_versions_are_refused(void **state)
{
	struct tls_server *s = tls_server_new(server_context);
	SSL_CTX *old = SSL_CTX_new(TLS_client_method());
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
	SSL *ssl;
	char *p;
	long n;

	(void)state;
	SSL_CTX_set_security_level(old, 0);
	SSL_CTX_set_min_proto_version(old, TLS1_VERSION);
	SSL_CTX_set_max_proto_version(old, TLS1_1_VERSION);
	ssl = SSL_new(old);
	SSL_set_bio(ssl, in, out);
	SSL_set_connect_state(ssl);
	SSL_do_handshake(ssl);
	n = BIO_get_mem_data(out, &p);
	assert_true(n > 0);
	tls_server_input(s, (struct str){ p, (size_t)n });
	assert_int_equal(tls_server_state(s), TLS_SERVER_FAILED);
	SSL_free(ssl);
	SSL_CTX_free(old);
	tls_server_free(s);
}

static void a_certificate_and_its_key_are_needed(void **state)
{
	struct err e;

	(void)state;
	assert_null(tls_server_context_new(STR(""), STR(""), &e));
	assert_null(tls_server_context_new(STR("no certificate"), STR(""), &e));
	assert_int_equal(e.kind, ERR_PERMANENT);
	assert_null(tls_server_context_new(buf_str(&pem), STR("NO-SUCH-CIPHER"), &e));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(talks_in_any_pieces),
		cmocka_unit_test(variables_tell_of_both_sides),
		cmocka_unit_test(clients_can_be_asked_for_certificates),
		cmocka_unit_test(clear_text_is_no_handshake),
		cmocka_unit_test(old_versions_are_refused),
		cmocka_unit_test(a_certificate_and_its_key_are_needed),
	};

	return cmocka_run_group_tests(tests, begin_all, end_all);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/pem.h>
#include <stdlib.h>

#include "base/mem.h"
#include "tls/tlskey.h"

/* A key under the password "secret", between two lines of text. */
static struct buf locked_key(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	BIO *bio = BIO_new(BIO_s_mem());
	struct buf pem = BUF_INIT(100000);
	char secret[] = "secret", *p;
	long n;

	PEM_write_bio_PKCS8PrivateKey(bio, key, EVP_aes_128_cbc(), secret, 6, NULL, NULL);
	n = BIO_get_mem_data(bio, &p);
	buf_addz(&pem, "before\n");
	buf_add(&pem, (struct str){ p, (size_t)n });
	buf_addz(&pem, "after\n");
	BIO_free(bio);
	EVP_PKEY_free(key);
	return pem;
}

static bool has(const struct buf *pem, struct str what)
{
	return str_find(buf_str(pem), what) < pem->n;
}

static void the_password_opens_it(void **state)
{
	struct buf pem = locked_key();
	struct err e;

	(void)state;
	assert_true(has(&pem, STR("ENCRYPTED")));
	assert_true(tlskey_open(&pem, STR("secret"), &e));
	assert_false(has(&pem, STR("ENCRYPTED")));
	assert_true(has(&pem, STR("-----BEGIN PRIVATE KEY-----")));
	assert_true(has(&pem, STR("before\n")) && has(&pem, STR("after\n")));
	/* Open already. */
	assert_true(tlskey_open(&pem, STR("whatever"), &e));
	buf_free(&pem);
}

static void others_do_not(void **state)
{
	struct buf pem = locked_key(), none = BUF_INIT(100);
	char *text = mem_copy(buf_str(&pem));
	struct err e;

	(void)state;
	assert_false(tlskey_open(&pem, STR("wrong"), &e));
	assert_int_equal(e.kind, ERR_PERMANENT);
	assert_string_equal(buf_cstr(&pem), text);
	assert_false(tlskey_open(&none, STR(""), &e));
	free(text);
	buf_free(&pem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_password_opens_it),
		cmocka_unit_test(others_do_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "tls/tlskey.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include "tls/tls_internal.h"

#define PEM_MAX (8u << 20)

static int give_password(char *to, int size, int writing, void *ctx)
{
	const struct str *password = ctx;

	(void)writing;
	if (size < 0 || password->n > (size_t)size)
		return -1;
	memcpy(to, password->p, password->n);
	return (int)password->n;
}

static void append(struct buf *pem, EVP_PKEY *key)
{
	BIO *out = BIO_new(BIO_s_secmem());
	char *p;
	long n;

	if (out && PEM_write_bio_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL) == 1 &&
	    (n = BIO_get_mem_data(out, &p)) > 0) {
		buf_addc(pem, '\n');
		buf_add(pem, (struct str){ p, (size_t)n });
	}
	BIO_free(out);
}

/* Blanks out one key that has a password. False: there is none. */
static bool remove_one(struct buf *pem)
{
	const struct str marks[] = { STR("-----BEGIN ENCRYPTED PRIVATE KEY-----"), STR("Proc-Type: 4,ENCRYPTED") };
	struct str all = buf_str(pem);
	size_t from = all.n, to;

	for (size_t i = 0; i < 2 && from == all.n; i++)
		from = str_find(all, marks[i]);
	if (from == all.n)
		return false;
	to = from + str_find(str_from(all, from), STR("-----END "));
	to += str_chr(str_from(all, to), '\n');
	while (from > 0 && !str_starts(str_from(all, from), STR("-----BEGIN ")))
		from--;
	memset(pem->p + from, '\n', to - from);
	return true;
}

bool tlskey_open(struct buf *pem, struct str password, struct err *e)
{
	BIO *in = pem->n <= PEM_MAX ? BIO_new_mem_buf(pem->p, (int)pem->n) : NULL;
	EVP_PKEY *key = in ? PEM_read_bio_PrivateKey(in, NULL, give_password, &password) : NULL;
	bool ok = key != NULL;

	BIO_free(in);
	if (ok) {
		/* A reader takes the first that it finds. */
		while (remove_one(pem))
			;
		append(pem, key);
	} else {
		err_perm(e, "unable to open the key with its password: %s", tls_error_text());
	}
	EVP_PKEY_free(key);
	return ok;
}

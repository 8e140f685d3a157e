#include "checker/checkapop.h"

#include "base/buf.h"
#include "tls/tlsdigest.h"

#define DIGITS (2 * TLS_MD5)

static bool is_hex_of(struct str hex, const unsigned char digest[TLS_MD5])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char different = 0;

	/* Takes the same time whatever is wrong. */
	for (size_t i = 0; i < TLS_MD5; i++) {
		different |= (unsigned char)(chr_lower(hex.p[2 * i]) ^ digits[digest[i] >> 4]);
		different |= (unsigned char)(chr_lower(hex.p[2 * i + 1]) ^ digits[digest[i] & 15]);
	}
	return different == 0;
}

bool checkapop_matches(const struct checkinput *c, struct str secret)
{
	struct buf text = BUF_INIT(4096);
	unsigned char apop[TLS_MD5], cram[TLS_MD5];
	bool ok;

	if (c->password.n != DIGITS || c->timestamp.n == 0 || secret.n == 0)
		return false;
	buf_add(&text, c->timestamp);
	buf_add(&text, secret);
	ok = buf_ok(&text) && tls_md5(buf_str(&text), apop) && is_hex_of(c->password, apop);
	ok |= tls_hmac_md5(secret, c->timestamp, cram) && is_hex_of(c->password, cram);
	buf_free(&text);
	return ok;
}

#include "tls/tlsdigest.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

bool tls_hmac_md5(struct str key, struct str data, unsigned char mac[TLS_HMAC_MD5])
{
	unsigned int n = 0;
	bool ok = key.n <= INT_MAX &&
		  HMAC(EVP_md5(), key.p, (int)key.n, (const unsigned char *)data.p, data.n, mac, &n) != NULL;

	ERR_clear_error();
	return ok && n == TLS_HMAC_MD5;
}

bool tls_md5(struct str data, unsigned char digest[TLS_MD5])
{
	unsigned int n = 0;
	bool ok = EVP_Digest(data.p, data.n, digest, &n, EVP_md5(), NULL) == 1;

	ERR_clear_error();
	return ok && n == TLS_MD5;
}

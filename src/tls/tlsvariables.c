#include "tls/tlsvariables.h"

#include <openssl/pem.h>
#include <openssl/x509.h>

#include "tls/tls_internal.h"

/* A certificate's side: "SSL_CLIENT". */
struct writer {
	struct buf *to;
	const char *side;
};

static void add(struct buf *to, const char *name, const char *value)
{
	buf_addf(to, "%s=%s", name, value ? value : "");
	buf_addc(to, 0);
}

/* What was written to a BIO, as a value, without a line end; NUL bytes in it end it. Frees the BIO. */
static void add_bio(const struct writer *w, const char *name, BIO *bio)
{
	char *p;
	long n = bio ? BIO_get_mem_data(bio, &p) : 0;
	struct str value = { n > 0 ? p : "", n > 0 ? (size_t)n : 0 };

	buf_addf(w->to, "%s_%s=", w->side, name);
	buf_add(w->to, str_trim_end(str_head(value, str_chr(value, 0))));
	buf_addc(w->to, 0);
	BIO_free(bio);
}

static void add_part(const struct writer *w, const char *which, const X509_NAME_ENTRY *entry)
{
	/* By what mod_ssl calls them. */
	static const struct {
		int nid;
		const char *name;
	} parts[] = {
		{ NID_countryName, "C" },
		{ NID_commonName, "CN" },
		{ NID_description, "D" },
		{ NID_pkcs9_emailAddress, "Email" },
		{ NID_givenName, "G" },
		{ NID_initials, "I" },
		{ NID_localityName, "L" },
		{ NID_organizationName, "O" },
		{ NID_organizationalUnitName, "OU" },
		{ NID_surname, "S" },
		{ NID_stateOrProvinceName, "ST" },
		{ NID_title, "T" },
		{ NID_userId, "UID" },
	};
	int nid = OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry));
	char name[40];
	BIO *bio;

	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		if (parts[i].nid != nid)
			continue;
		snprintf(name, sizeof name, "%s_%s", which, parts[i].name);
		bio = BIO_new(BIO_s_mem());
		ASN1_STRING_print_ex(bio, X509_NAME_ENTRY_get_data(entry),
				     ASN1_STRFLGS_ESC_CTRL | ASN1_STRFLGS_UTF8_CONVERT);
		add_bio(w, name, bio);
	}
}

static void add_name(const struct writer *w, const char *which, const X509_NAME *name)
{
	char *text = X509_NAME_oneline(name, NULL, 0);

	buf_addf(w->to, "%s_%s=%s", w->side, which, text ? text : "");
	buf_addc(w->to, 0);
	OPENSSL_free(text);
	for (int i = 0; i < X509_NAME_entry_count(name); i++)
		add_part(w, which, X509_NAME_get_entry(name, i));
}

static void add_time(const struct writer *w, const char *name, const ASN1_TIME *time)
{
	BIO *bio = BIO_new(BIO_s_mem());

	ASN1_TIME_print(bio, time);
	add_bio(w, name, bio);
}

static void add_pem(const struct writer *w, const char *name, X509 *x)
{
	BIO *bio = BIO_new(BIO_s_mem());

	PEM_write_bio_X509(bio, x);
	add_bio(w, name, bio);
}

static void add_serial(const struct writer *w, X509 *x)
{
	BIO *bio = BIO_new(BIO_s_mem());

	i2a_ASN1_INTEGER(bio, X509_get0_serialNumber(x));
	add_bio(w, "M_SERIAL", bio);
}

static void add_algorithms(const struct writer *w, X509 *x)
{
	const ASN1_OBJECT *key = NULL;
	int signature = X509_get_signature_nid(x);

	X509_PUBKEY_get0_param((ASN1_OBJECT **)&key, NULL, NULL, NULL, X509_get_X509_PUBKEY(x));
	buf_addf(w->to, "%s_A_SIG=%s", w->side, signature == NID_undef ? "UNKNOWN" : OBJ_nid2ln(signature));
	buf_addc(w->to, 0);
	buf_addf(w->to, "%s_A_KEY=%s", w->side, key ? OBJ_nid2ln(OBJ_obj2nid(key)) : "UNKNOWN");
	buf_addc(w->to, 0);
}

static void add_certificate(const struct writer *w, X509 *x, STACK_OF(X509) * chain)
{
	char name[40];

	if (x == NULL)
		return;
	buf_addf(w->to, "%s_M_VERSION=%ld", w->side, X509_get_version(x) + 1);
	buf_addc(w->to, 0);
	add_serial(w, x);
	add_time(w, "V_START", X509_get0_notBefore(x));
	add_time(w, "V_END", X509_get0_notAfter(x));
	add_name(w, "S_DN", X509_get_subject_name(x));
	add_name(w, "I_DN", X509_get_issuer_name(x));
	add_algorithms(w, x);
	add_pem(w, "CERT", x);
	for (int i = 0; chain && i < sk_X509_num(chain); i++) {
		snprintf(name, sizeof name, "CERT_CHAIN_%d", i);
		add_pem(w, name, sk_X509_value(chain, i));
	}
}

static void add_session(SSL *ssl, struct buf *to)
{
	const SSL_SESSION *session = SSL_get_session(ssl);
	unsigned length = 0;
	const unsigned char *id = session ? SSL_SESSION_get_id(session, &length) : NULL;

	buf_addz(to, "SSL_SESSION_ID=");
	for (unsigned i = 0; i < length; i++)
		buf_addf(to, "%02X", (unsigned)id[i]);
	buf_addc(to, 0);
}

static void add_cipher(SSL *ssl, struct buf *to)
{
	int possible = 0, used = SSL_CIPHER_get_bits(SSL_get_current_cipher(ssl), &possible);
	char number[20];

	add(to, "SSL_PROTOCOL", SSL_get_version(ssl));
	add(to, "SSL_CIPHER", SSL_get_cipher_name(ssl));
	snprintf(number, sizeof number, "%d", used);
	add(to, "SSL_CIPHER_USEKEYSIZE", number);
	snprintf(number, sizeof number, "%d", possible);
	add(to, "SSL_CIPHER_ALGKEYSIZE", number);
	add(to, "SSL_CIPHER_EXPORT", used < 56 ? "true" : "false");
}

/* Of a server: its own certificate is the server's, the other side's is the client's. */
static void add_all(SSL *ssl, bool server, struct buf *to)
{
	struct writer own = { to, server ? "SSL_SERVER" : "SSL_CLIENT" };
	struct writer other = { to, server ? "SSL_CLIENT" : "SSL_SERVER" };
	X509 *shown = SSL_get0_peer_certificate(ssl);
	STACK_OF(X509) *chain = NULL;

	add_cipher(ssl, to);
	add_session(ssl, to);
	add(to, "SSL_VERSION_INTERFACE", "ucspi-ssl");
	add(to, "SSL_VERSION_LIBRARY", OpenSSL_version(OPENSSL_VERSION));
	if (server)
		add(to, "SSL_CLIENT_VERIFY",
		    shown == NULL                             ? "NONE"
		    : SSL_get_verify_result(ssl) == X509_V_OK ? "SUCCESS"
							      : "FAILED");
	SSL_get0_chain_certs(ssl, &chain);
	add_certificate(&own, SSL_get_certificate(ssl), chain);
	add_certificate(&other, shown, SSL_get_peer_cert_chain(ssl));
}

void tls_server_variables(const struct tls_server *s, struct buf *to)
{
	add_all(tls_server_ssl(s), true, to);
}

void tls_client_variables(const struct tls_client *c, struct buf *to)
{
	add_all(tls_client_ssl(c), false, to);
}

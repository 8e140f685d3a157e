#include "smtpclient/clientauth.h"

#include "base/base64.h"
#include "tls/tlsdigest.h"

#define CHALLENGE_MAX 1000

unsigned auth_choose(unsigned offered, bool secure)
{
	/* In clear text only CRAM-MD5 keeps the password; over TLS PLAIN does as well, in one round trip. */
	if ((offered & EHLO_CRAM_MD5) && (!secure || !(offered & (EHLO_PLAIN | EHLO_LOGIN))))
		return EHLO_CRAM_MD5;
	return offered & EHLO_PLAIN ? EHLO_PLAIN : offered & EHLO_LOGIN;
}

static void put_line(struct buf *out, struct str word)
{
	base64_encode(out, word);
	buf_addz(out, "\r\n");
}

static void put_plain(struct buf *out, struct str user, struct str password)
{
	struct buf b = BUF_INIT(2 * AUTH_WORD_MAX + 2);

	buf_addc(&b, 0);
	buf_add(&b, user);
	buf_addc(&b, 0);
	buf_add(&b, password);
	put_line(out, buf_str(&b));
	buf_free(&b);
}

void auth_begin(unsigned mechanism, struct str user, struct str password, struct buf *out)
{
	if (mechanism == EHLO_PLAIN) {
		buf_addz(out, "AUTH PLAIN ");
		put_plain(out, user, password);
	} else {
		buf_addz(out, mechanism == EHLO_LOGIN ? "AUTH LOGIN\r\n" : "AUTH CRAM-MD5\r\n");
	}
}

static bool answer_challenge(struct str reply, struct str user, struct str password, struct buf *out)
{
	struct buf challenge = BUF_INIT(CHALLENGE_MAX), answer = BUF_INIT(AUTH_WORD_MAX + 40);
	unsigned char mac[TLS_HMAC_MD5];
	bool ok = base64_decode(&challenge, str_trim_end(str_from(reply, 4))) &&
		  tls_hmac_md5(password, buf_str(&challenge), mac);

	if (ok) {
		buf_add(&answer, user);
		buf_addc(&answer, ' ');
		for (size_t i = 0; i < sizeof mac; i++)
			buf_addf(&answer, "%02x", mac[i]);
		put_line(out, buf_str(&answer));
	}
	buf_free(&challenge);
	buf_free(&answer);
	return ok;
}

bool auth_continue(unsigned mechanism, unsigned step, struct str reply, struct str user, struct str password,
		   struct buf *out)
{
	if (mechanism == EHLO_LOGIN && step < 2) {
		put_line(out, step == 0 ? user : password);
		return true;
	}
	return mechanism == EHLO_CRAM_MD5 && step == 0 && answer_challenge(reply, user, password, out);
}

/*
 * An address as we say it to others. Whatever it is: as the argument of RCPT our own server reads the same address
 * again, or refuses it; and none that may be in an envelope ends the line.
 */
#include <stdlib.h>

#include "mail/quote.h"
#include "smtpserver/smtparg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static bool has(struct str s, char c)
{
	return str_chr(s, c) < s.n;
}

/* The domain is not quoted: what would end it is the business of whoever lets it in. */
static bool plain_domain(struct str address)
{
	struct str domain = str_from(address, str_rchr(address, '@'));

	return !has(domain, '>') && !has(domain, '"') && !has(domain, '\\') && !has(domain, ' ');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str address = { (const char *)data, size };
	struct buf argument = BUF_INIT(4 * SMTPARG_ADDRESS_MAX);
	struct smtparg a = SMTPARG_INIT;

	if (size == 0 || size > SMTPARG_ADDRESS_MAX || has(address, '\n') || has(address, '\r') || has(address, 0))
		return 0;
	buf_addz(&argument, "TO:<");
	quote_address(&argument, address);
	buf_addc(&argument, '>');
	must(buf_ok(&argument) && !has(buf_str(&argument), '\n') && !has(buf_str(&argument), '\r'));
	if (plain_domain(address) && smtparg_parse(buf_str(&argument), SMTPARG_RCPT, &a) == SMTPARG_OK)
		must(str_eq(buf_str(&a.address), address));
	buf_free(&argument);
	buf_free(&a.address);
	return 0;
}

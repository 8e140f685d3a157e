#include "idn/idn.h"

#include <idn2.h>

#define DOMAIN_MAX 1003

bool idn_needed(struct str domain)
{
	for (size_t i = 0; i < domain.n; i++)
		if ((unsigned char)domain.p[i] >= 128)
			return true;
	return false;
}

bool idn_to_ascii(struct buf *out, struct str domain)
{
	char z[DOMAIN_MAX + 1];
	uint8_t *ascii = NULL;
	bool ok;

	if (domain.n > DOMAIN_MAX || memchr(domain.p, 0, domain.n) != NULL)
		return false;
	memcpy(z, domain.p, domain.n);
	z[domain.n] = 0;
	ok = idn2_lookup_u8((const uint8_t *)z, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) == IDN2_OK && *ascii;
	if (ok)
		buf_addz(out, (const char *)ascii);
	idn2_free(ascii);
	return ok && buf_ok(out);
}

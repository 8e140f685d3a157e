#include <stdlib.h>

#include "ucspi/proxyheader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* However it is fed, it ends, and never wants more than a header may have. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str all = { (const char *)data, n };
	struct inetaddr remote, local;
	size_t got = 0, wanted;
	char text[INETADDR_TEXT];
	enum proxyheader found;

	while ((found = proxyheader_parse(str_head(all, got), &remote, &local, &wanted)) == PROXYHEADER_MORE) {
		if (wanted == 0 || got + wanted > PROXYHEADER_V2_MAX)
			abort();
		if (got + wanted > n)
			return 0;
		got += wanted;
	}
	if (found == PROXYHEADER_GIVEN) {
		inetaddr_text(&remote, text);
		inetaddr_text(&local, text);
	}
	return 0;
}

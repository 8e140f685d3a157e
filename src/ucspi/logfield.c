#include "ucspi/logfield.h"

#define FIELD_MAX 100

void logfield_add(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (i == FIELD_MAX) {
			buf_addz(out, "...");
			return;
		}
		buf_addc(out, c < 33 || c > 126 || c == '%' || c == ':' ? '?' : c);
	}
}

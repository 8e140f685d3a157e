/* What a client's host says of it, and how that looks in a log. */
#include <stdlib.h>

#include "ucspi/ident.h"
#include "ucspi/logfield.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf info = BUF_INIT(size), field = BUF_INIT(200);

	ident_parse((struct str){ (const char *)data, size }, &info);
	/* It becomes an environment variable. */
	if (!buf_ok(&info) || str_chr(buf_str(&info), 0) < info.n || str_chr(buf_str(&info), '\n') < info.n)
		abort();
	logfield_add(&field, buf_str(&info));
	for (size_t i = 0; i < field.n; i++)
		if (field.p[i] < 33 || field.p[i] > 126 || field.p[i] == ':')
			abort();
	if (!buf_ok(&field))
		abort();
	buf_free(&info);
	buf_free(&field);
	return 0;
}

#include "netrules/rulesource.h"

#include <stdlib.h>

/* Records are bounded in size and number, whatever the line. */
static bool count(void *ctx, struct str key, struct str value)
{
	struct buf shown = BUF_INIT(8192);

	if (++*(int *)ctx > 256 || (value.n && value.p[value.n - 1] != 0))
		abort();
	rulesource_show(key, &shown);
	buf_free(&shown);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	bool stopped;
	int records = 0;

	rulesource_read((struct str){ (const char *)data, n }, count, &records, &stopped);
	return 0;
}

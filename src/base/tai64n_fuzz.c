/* What is read as a label is written as the same label. */
#include <stdlib.h>

#include "base/tai64n.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str s = { (const char *)data, size };
	char label[TAI64N_LABEL];
	struct tai64n t;

	if (!tai64n_scan(s, &t))
		return 0;
	tai64n_label(label, t);
	if (memcmp(label, data, sizeof label) != 0)
		abort();
	return 0;
}

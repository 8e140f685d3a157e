#include <stdlib.h>

#include "cdb/cdbrecords.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Records stand one behind the other within the image, whatever it holds. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str image = { (const char *)data, size }, key, value;
	struct cdbrecords r = cdbrecords_of(image);
	const char *at = image.p + 2048;

	while (cdbrecords_next(&r, &key, &value)) {
		if (key.p != at + 8 || value.p != key.p + key.n || value.p + value.n > image.p + image.n)
			abort();
		at = value.p + value.n;
	}
	return 0;
}

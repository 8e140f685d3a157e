/* Logs of any content: memory is what is being tested, and that lines come out whole. */
#include <stdlib.h>

#include "analog/pairing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pairing *p = pairing_start((struct hash_key){ 1, 2 });
	struct buf out = BUF_INIT(1u << 24);
	struct str rest = { (const char *)data, size }, line;

	while (str_next_line(&rest, &line))
		pairing_line(p, line, &out);
	pairing_pending(p, &out);
	if (out.n && out.p[out.n - 1] != '\n')
		abort();
	pairing_free(p);
	buf_free(&out);
	return 0;
}

/* A stranger's message in one line of a terminal: nothing in it is more than text. */
#include <stdlib.h>

#include "mailbox/glance.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_be_text(const struct buf *b, size_t most)
{
	if (!buf_ok(b) || b->n > most)
		abort();
	for (size_t i = 0; i < b->n; i++)
		if (b->p[i] < 32 || b->p[i] > 126)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str message = { (const char *)data, size };
	struct buf out = BUF_INIT(10000);

	glance_text(&out, message);
	must_be_text(&out, GLANCE_WIDTH);
	buf_clear(&out);
	glance_field(&out, message, STR("From"));
	must_be_text(&out, 1000);
	buf_free(&out);
	return 0;
}

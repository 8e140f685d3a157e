#include <stdlib.h>

#include "aliases/forwardtext.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct collector {
	struct buf records, text;
};

static bool keep(void *ctx, struct str key, struct str data, struct err *e)
{
	struct collector *c = ctx;

	(void)e;
	buf_add(&c->records, key);
	buf_addc(&c->records, 0);
	buf_add(&c->records, data);
	buf_addc(&c->records, 0);
	if (!forwardtext_print(key, data, &c->text))
		abort();
	return true;
}

/* What is compiled and printed compiles to the same records again. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct collector first = { BUF_INIT(SIZE_MAX), BUF_INIT(SIZE_MAX) }, second = first;
	struct err e;

	if (forwardtext_compile((struct str){ (const char *)data, size }, keep, &first, &e)) {
		if (!forwardtext_compile(buf_str(&first.text), keep, &second, &e) ||
		    !str_eq(buf_str(&first.records), buf_str(&second.records)))
			abort();
	}
	buf_free(&first.records);
	buf_free(&first.text);
	buf_free(&second.records);
	buf_free(&second.text);
	return 0;
}

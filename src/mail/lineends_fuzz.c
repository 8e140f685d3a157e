/* Line ends that are changed in pieces are as if they had been changed at once; and what was added can be removed. */
#include <stdlib.h>

#include "mail/lineends.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void removed(struct str text, size_t piece, struct buf *out)
{
	struct lineends s = { false };

	for (; text.n; text = str_from(text, piece))
		lineends_remove(&s, out, str_head(text, piece));
	lineends_end(&s, out);
}

static void fixed(struct str text, size_t piece, struct buf *out)
{
	struct lineends s = { false };

	for (; text.n; text = str_from(text, piece))
		lineends_fix(&s, out, str_head(text, piece));
}

static bool bare_lf(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '\n' && (i == 0 || s.p[i - 1] != '\r'))
			return true;
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf added = BUF_INIT(SIZE_MAX), whole = BUF_INIT(SIZE_MAX), parts = BUF_INIT(SIZE_MAX);
	struct str text = { (const char *)data, size };
	size_t piece = size ? 1 + data[0] % 7 : 1;

	lineends_add(&added, text);
	removed(buf_str(&added), piece, &whole);
	must(str_eq(buf_str(&whole), text));
	buf_clear(&whole);
	removed(text, SIZE_MAX, &whole);
	removed(text, piece, &parts);
	must(str_eq(buf_str(&whole), buf_str(&parts)));
	buf_clear(&whole);
	buf_clear(&parts);
	fixed(text, SIZE_MAX, &whole);
	fixed(text, piece, &parts);
	must(str_eq(buf_str(&whole), buf_str(&parts)) && !bare_lf(buf_str(&whole)));
	buf_free(&added);
	buf_free(&whole);
	buf_free(&parts);
	return 0;
}

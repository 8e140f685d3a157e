/*
 * What is written for an address list is one field, has the same addresses
 * when it is read again, and is then written the same way.
 */
#include <stdlib.h>

#include "mail/address_list.h"

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void note(void *ctx, struct token_list *address)
{
	struct buf *seen = ctx;

	tokens_add_plain(seen, address->t, address->n);
	buf_addc(seen, 0);
}

static bool parse(struct str body, struct buf *seen, struct buf *written)
{
	struct token_list in = { 0 }, out = { 0 };
	bool ok = tokens_scan(&in, body) && address_list_parse(&in, &out, note, seen);

	if (ok)
		tokens_write(written, out.t, out.n, 3, 80);
	tokens_free(&in);
	tokens_free(&out);
	return ok;
}

/* Every line end is followed by white space and something else: nothing can become a field or end the header. */
static void require_one_field(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '\n')
			require(i + 2 < s.n && s.p[i + 1] == ' ' && s.p[i + 2] == ' ');
	require(str_chr(s, '\r') == s.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf seen = BUF_INIT(SIZE_MAX), written = BUF_INIT(SIZE_MAX);
	struct buf again = BUF_INIT(SIZE_MAX), rewritten = BUF_INIT(SIZE_MAX);

	if (parse((struct str){ (const char *)data, size }, &seen, &written)) {
		require_one_field(buf_str(&written));
		require(written.n < 4 * size + 8);
		require(parse(buf_str(&written), &again, &rewritten));
		require(str_eq(buf_str(&seen), buf_str(&again)));
		require(str_eq(buf_str(&written), buf_str(&rewritten)));
	}
	buf_free(&seen);
	buf_free(&written);
	buf_free(&again);
	buf_free(&rewritten);
	return 0;
}

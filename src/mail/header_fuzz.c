/* Splitting a header in pieces gives what splitting it whole gives, and loses nothing. */
#include <stdlib.h>

#include "base/buf.h"
#include "mail/header.h"

static void require(bool holds)
{
	if (!holds)
		abort();
}

/* The items' kinds and lengths. */
static void split(struct str message, size_t step, struct buf *out)
{
	struct header_scan scan = { 0 };
	size_t start = 0, have = 0;

	for (;;) {
		struct str data = str_from(str_head(message, have), start), item = STR("");
		size_t before = data.n;
		enum header_item kind = header_take(&scan, &data, have == message.n, &item);

		start += before - data.n;
		if (kind == HEADER_MORE) {
			require(have < message.n);
			have = step < message.n - have ? have + step : message.n;
			continue;
		}
		buf_addf(out, "%d:%zu ", kind, before - data.n);
		if (kind == HEADER_BODY || kind == HEADER_EOF || kind == HEADER_BLANK)
			break;
		require(item.n == before - data.n && item.n > 0);
		require(kind == HEADER_MBOX_LINE || header_name(item).n > 0);
		require(header_body(item).n < item.n);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole = BUF_INIT(SIZE_MAX), pieces = BUF_INIT(SIZE_MAX);
	struct str message;

	if (size == 0)
		return 0;
	message = (struct str){ (const char *)data + 1, size - 1 };
	split(message, SIZE_MAX, &whole);
	split(message, 1 + data[0] % 16, &pieces);
	require(str_eq(buf_str(&whole), buf_str(&pieces)));
	buf_free(&whole);
	buf_free(&pieces);
	return 0;
}

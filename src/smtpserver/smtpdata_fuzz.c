#include <stdlib.h>

#include "smtpserver/smtpdata.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum smtpdata_state decode(struct str input, size_t piece, struct buf *out, size_t *taken)
{
	enum smtpdata_state state = SMTPDATA_LINE_START;
	size_t all = input.n;

	while (input.n && state != SMTPDATA_END && state != SMTPDATA_BARE_LF) {
		struct str part = str_head(input, piece), rest = part;

		state = smtpdata_decode(state, &rest, out);
		input = str_from(input, part.n - rest.n);
	}
	*taken = all - input.n;
	return state;
}

/* Whole or in pieces is the same; and what is stored never holds more bytes than came. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str input = { (const char *)data, size };
	size_t piece, taken, taken2;
	struct buf whole = BUF_INIT(SIZE_MAX), pieces = BUF_INIT(SIZE_MAX);

	if (size < 1)
		return 0;
	piece = 1 + data[0] % 9;
	input = str_from(input, 1);
	if (decode(input, input.n, &whole, &taken) != decode(input, piece, &pieces, &taken2))
		abort();
	if (taken != taken2 || !str_eq(buf_str(&whole), buf_str(&pieces)) || whole.n > taken)
		abort();
	buf_free(&whole);
	buf_free(&pieces);
	return 0;
}

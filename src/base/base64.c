#include "base/base64.h"

static const char digits[64] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static uint32_t byte_at(struct str s, size_t i)
{
	return i < s.n ? (unsigned char)s.p[i] : 0;
}

void base64_encode(struct buf *out, struct str data)
{
	for (size_t i = 0; i < data.n; i += 3) {
		uint32_t v = byte_at(data, i) << 16 | byte_at(data, i + 1) << 8 | byte_at(data, i + 2);

		buf_addc(out, digits[v >> 18]);
		buf_addc(out, digits[v >> 12 & 63]);
		buf_addc(out, i + 1 < data.n ? digits[v >> 6 & 63] : '=');
		buf_addc(out, i + 2 < data.n ? digits[v & 63] : '=');
	}
}

static bool decode_group(struct buf *out, const char *p, size_t used)
{
	uint32_t v = 0;

	for (size_t i = 0; i < used; i++) {
		const char *digit = memchr(digits, p[i], sizeof digits);

		if (digit == NULL)
			return false;
		v |= (uint32_t)(digit - digits) << (18 - 6 * i);
	}
	/* Bits that stand for nothing must be zero: one text for each value. */
	if ((used == 2 && (v & 0xffff)) || (used == 3 && (v & 0xff)))
		return false;
	for (size_t i = 0; i + 1 < used; i++)
		buf_addc(out, (char)(v >> (16 - 8 * i)));
	return true;
}

bool base64_decode(struct buf *out, struct str text)
{
	if (text.n % 4)
		return false;
	for (size_t i = 0; i < text.n; i += 4) {
		size_t used = 4;

		if (i + 4 == text.n)
			used -= (size_t)(text.p[i + 3] == '=') + (text.p[i + 3] == '=' && text.p[i + 2] == '=');
		if (!decode_group(out, text.p + i, used))
			return false;
	}
	return buf_ok(out);
}

#include "mail/xtext.h"

static bool plain(char c)
{
	return c > ' ' && c < 127 && c != '+' && c != '=';
}

void xtext_encode(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (plain(s.p[i]))
			buf_addc(out, s.p[i]);
		else
			buf_addf(out, "+%02X", (unsigned)(unsigned char)s.p[i]);
	}
}

/* The value of a digit, or -1. */
static int hex(char c, bool lower_too)
{
	if (chr_digit(c))
		return c - '0';
	if (lower_too)
		c = c >= 'a' && c <= 'f' ? (char)(c - 'a' + 'A') : c;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool xtext_decode(struct buf *out, struct str text)
{
	for (size_t i = 0; i < text.n; i++) {
		int high, low;

		if (plain(text.p[i])) {
			buf_addc(out, text.p[i]);
			continue;
		}
		if (text.p[i] != '+' || text.n - i < 3)
			return false;
		high = hex(text.p[i + 1], false);
		low = hex(text.p[i + 2], false);
		if (high < 0 || low < 0)
			return false;
		buf_addc(out, (char)(high << 4 | low));
		i += 2;
	}
	return buf_ok(out);
}

static void add_utf8(struct buf *out, uint32_t c)
{
	if (c < 0x80) {
		buf_addc(out, (char)c);
	} else if (c < 0x800) {
		buf_addc(out, (char)(0xc0 | c >> 6));
		buf_addc(out, (char)(0x80 | (c & 63)));
	} else if (c < 0x10000) {
		buf_addc(out, (char)(0xe0 | c >> 12));
		buf_addc(out, (char)(0x80 | (c >> 6 & 63)));
		buf_addc(out, (char)(0x80 | (c & 63)));
	} else {
		buf_addc(out, (char)(0xf0 | c >> 18));
		buf_addc(out, (char)(0x80 | (c >> 12 & 63)));
		buf_addc(out, (char)(0x80 | (c >> 6 & 63)));
		buf_addc(out, (char)(0x80 | (c & 63)));
	}
}

/* "\x{20AC}" at the front of *text; false when it is no such thing. */
static bool take_codepoint(struct str *text, uint32_t *c)
{
	size_t end = str_chr(*text, '}');

	if (!str_starts(*text, STR("\\x{")) || end == text->n || end < 5 || end > 9)
		return false;
	*c = 0;
	for (size_t i = 3; i < end; i++) {
		int digit = hex(text->p[i], true);

		if (digit < 0)
			return false;
		*c = *c << 4 | (uint32_t)digit;
	}
	*text = str_from(*text, end + 1);
	return *c <= 0x10ffff && (*c < 0xd800 || *c > 0xdfff);
}

bool xtext_decode_utf8(struct buf *out, struct str text)
{
	if (!utf8_valid(text))
		return false;
	while (text.n) {
		uint32_t c;

		if (*text.p != '\\') {
			if ((unsigned char)*text.p < 128 && !plain(*text.p))
				return false;
			buf_addc(out, *text.p);
			text = str_from(text, 1);
			continue;
		}
		if (!take_codepoint(&text, &c))
			return false;
		add_utf8(out, c);
	}
	return buf_ok(out);
}

/* How many bytes follow a first byte, 0 for ASCII, -1 for none; *min is the least value that needs so many. */
static int followers(unsigned char c, uint32_t *value, uint32_t *min)
{
	if (c < 0x80)
		return 0;
	if (c >= 0xc2 && c < 0xe0) {
		*value = c & 31;
		*min = 0x80;
		return 1;
	}
	if (c >= 0xe0 && c < 0xf0) {
		*value = c & 15;
		*min = 0x800;
		return 2;
	}
	if (c >= 0xf0 && c < 0xf5) {
		*value = c & 7;
		*min = 0x10000;
		return 3;
	}
	return -1;
}

bool utf8_valid(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		uint32_t value = 0, min = 0;
		int n = followers((unsigned char)s.p[i], &value, &min);

		if (n < 0 || (size_t)n >= s.n - i)
			return false;
		for (int k = 0; k < n; k++) {
			unsigned char c = (unsigned char)s.p[++i];

			if (c < 0x80 || c > 0xbf)
				return false;
			value = value << 6 | (c & 63);
		}
		if (n && (value < min || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff)))
			return false;
	}
	return true;
}

#include "base/json.h"

#include "base/date.h"

/* The length of the UTF-8 sequence at the front of s, or 0 (RFC 3629: no surrogates, no overlong forms). */
static size_t sequence(struct str s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	size_t n = p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;

	if (n == 0 || s.n < n)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) ||
	    (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

static void put_ascii(struct buf *b, char c)
{
	if (c == '\n')
		buf_addz(b, "\\n");
	else if (c == '\t')
		buf_addz(b, "\\t");
	else if (c == '"' || c == '\\')
		buf_addf(b, "\\%c", c);
	else if (c < 32 || c == 127)
		buf_addf(b, "\\u%04x", (unsigned)c);
	else
		buf_addc(b, c);
}

void json_put(struct buf *b, struct str s)
{
	buf_addc(b, '"');
	while (s.n) {
		size_t n = 1;

		if (!((unsigned char)s.p[0] & 0x80)) {
			put_ascii(b, s.p[0]);
		} else if ((n = sequence(s)) != 0) {
			buf_add(b, str_head(s, n));
		} else {
			buf_addz(b, "\xef\xbf\xbd");
			n = 1;
		}
		s = str_from(s, n);
	}
	buf_addc(b, '"');
}

void json_key(struct buf *b, const char *key)
{
	char last = b->n ? b->p[b->n - 1] : '{';

	if (last != '{' && last != '[')
		buf_addc(b, ',');
	json_put(b, str_of(key));
	buf_addc(b, ':');
}

void json_str(struct buf *b, const char *key, struct str value)
{
	json_key(b, key);
	json_put(b, value);
}

void json_u64(struct buf *b, const char *key, uint64_t value)
{
	json_key(b, key);
	buf_addu(b, value);
}

void json_bool(struct buf *b, const char *key, bool value)
{
	json_key(b, key);
	buf_addz(b, value ? "true" : "false");
}

void json_time(struct buf *b, const char *key, int64_t seconds)
{
	struct date d = date_of(seconds);

	json_key(b, key);
	buf_addf(b, "\"%04lld-%02d-%02dT%02d:%02d:%02dZ\"", (long long)d.year, d.month, d.day, d.hour, d.minute,
		 d.second);
}

#include "base/jsonread.h"

static void skip_blanks(struct str *s)
{
	while (s->n && (s->p[0] == ' ' || s->p[0] == '\t' || s->p[0] == '\n' || s->p[0] == '\r'))
		*s = str_from(*s, 1);
}

static bool take(struct str *s, char c)
{
	skip_blanks(s);
	if (s->n == 0 || s->p[0] != c)
		return false;
	*s = str_from(*s, 1);
	return true;
}

static void put_utf8(struct buf *out, uint32_t c)
{
	if (c < 0x80) {
		buf_addc(out, (char)c);
	} else if (c < 0x800) {
		buf_addc(out, (char)(0xc0 | c >> 6));
		buf_addc(out, (char)(0x80 | (c & 0x3f)));
	} else {
		buf_addc(out, (char)(0xe0 | c >> 12));
		buf_addc(out, (char)(0x80 | (c >> 6 & 0x3f)));
		buf_addc(out, (char)(0x80 | (c & 0x3f)));
	}
}

static bool take_hex(struct str *s, uint32_t *c)
{
	*c = 0;
	for (int i = 0; i < 4; i++) {
		char h = s->n ? chr_lower(s->p[0]) : 0;

		if (!chr_digit(h) && (h < 'a' || h > 'f'))
			return false;
		*c = *c * 16 + (uint32_t)(chr_digit(h) ? h - '0' : h - 'a' + 10);
		*s = str_from(*s, 1);
	}
	return true;
}

/* Behind the backslash. */
static bool take_escape(struct str *s, struct buf *out)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	char c = s->n ? s->p[0] : 0;
	const char *at = c ? strchr(from, c) : NULL;
	uint32_t code;

	*s = str_from(*s, 1);
	if (at) {
		buf_addc(out, to[at - from]);
		return true;
	}
	if (c != 'u' || !take_hex(s, &code))
		return false;
	put_utf8(out, code);
	return true;
}

static bool take_string(struct str *s, struct buf *out)
{
	buf_clear(out);
	if (!take(s, '"'))
		return false;
	while (s->n) {
		char c = s->p[0];

		*s = str_from(*s, 1);
		if (c == '"')
			return true;
		if (c != '\\')
			buf_addc(out, c);
		else if (!take_escape(s, out))
			return false;
	}
	return false;
}

/* A number or word; or something nested, whose strings may contain brackets. */
static bool take_other(struct str *s, struct buf *out)
{
	struct buf ignored = BUF_INIT(SIZE_MAX);
	size_t depth = 0;
	bool ok = true;

	buf_clear(out);
	while (ok && s->n && (depth || (s->p[0] != ',' && s->p[0] != '}'))) {
		char c = s->p[0];

		if (c == '"') {
			ok = take_string(s, &ignored);
			continue;
		}
		depth += c == '{' || c == '[';
		if ((c == '}' || c == ']') && depth)
			depth--;
		buf_addc(out, c);
		*s = str_from(*s, 1);
	}
	buf_free(&ignored);
	return ok;
}

bool json_member(struct str s, const char *key, struct buf *out)
{
	bool found = false, ok = take(&s, '{');

	while (ok && !found) {
		ok = take_string(&s, out) && take(&s, ':');
		found = ok && str_eq(buf_str(out), str_of(key));
		skip_blanks(&s);
		ok = ok && (s.n && s.p[0] == '"' ? take_string(&s, out) : take_other(&s, out));
		if (!found)
			ok = ok && take(&s, ',');
	}
	return ok && found;
}

#include "base/str.h"

bool str_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool str_ieq(struct str a, struct str b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (chr_lower(a.p[i]) != chr_lower(b.p[i]))
			return false;
	return true;
}

bool str_starts(struct str s, struct str prefix)
{
	return s.n >= prefix.n && str_eq(str_head(s, prefix.n), prefix);
}

bool str_istarts(struct str s, struct str prefix)
{
	return s.n >= prefix.n && str_ieq(str_head(s, prefix.n), prefix);
}

bool str_ends(struct str s, struct str suffix)
{
	return s.n >= suffix.n && str_eq(str_from(s, s.n - suffix.n), suffix);
}

bool str_iends(struct str s, struct str suffix)
{
	return s.n >= suffix.n && str_ieq(str_from(s, s.n - suffix.n), suffix);
}

bool str_like(struct str s, struct str pattern)
{
	if (str_ends(pattern, STR("*")))
		return str_starts(s, str_head(pattern, pattern.n - 1));
	return str_eq(s, pattern);
}

int str_cmp(struct str a, struct str b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int r = n ? memcmp(a.p, b.p, n) : 0;

	if (r != 0)
		return r;
	return a.n < b.n ? -1 : a.n > b.n;
}

size_t str_chr(struct str s, char c)
{
	const char *q = s.n ? memchr(s.p, c, s.n) : NULL;

	return q ? (size_t)(q - s.p) : s.n;
}

size_t str_rchr(struct str s, char c)
{
	for (size_t i = s.n; i > 0; i--)
		if (s.p[i - 1] == c)
			return i - 1;
	return s.n;
}

size_t str_find(struct str s, struct str needle)
{
	if (needle.n == 0)
		return 0;
	for (size_t i = 0; i + needle.n <= s.n; i++)
		if (memcmp(s.p + i, needle.p, needle.n) == 0)
			return i;
	return s.n;
}

bool str_has_control(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 32 || s.p[i] == 127)
			return true;
	return false;
}

struct str str_trim_end(struct str s)
{
	while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t' || s.p[s.n - 1] == '\n'))
		s.n--;
	return s;
}

struct str str_trim_start(struct str s)
{
	while (s.n && (*s.p == ' ' || *s.p == '\t' || *s.p == '\n'))
		s = str_from(s, 1);
	return s;
}

bool str_cut(struct str s, char c, struct str *before, struct str *after)
{
	size_t i = str_chr(s, c);
	bool found = i < s.n;

	*before = str_head(s, i);
	*after = str_from(s, i + (found ? 1 : 0));
	return found;
}

bool str_next_line(struct str *rest, struct str *line)
{
	if (rest->n == 0)
		return false;
	str_cut(*rest, '\n', line, rest);
	return true;
}

bool str_to_u64(struct str s, uint64_t *v)
{
	uint64_t r = 0;

	if (s.n == 0)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (!chr_digit(s.p[i]) || __builtin_mul_overflow(r, 10u, &r) ||
		    __builtin_add_overflow(r, (uint64_t)(s.p[i] - '0'), &r))
			return false;
	}
	*v = r;
	return true;
}

uint64_t str_leading_u64(struct str s)
{
	uint64_t v = 0;
	size_t digits = 0;

	while (digits < s.n && chr_digit(s.p[digits]))
		digits++;
	if (digits && !str_to_u64(str_head(s, digits), &v))
		return UINT64_MAX;
	return v;
}

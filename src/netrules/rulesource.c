#include "netrules/rulesource.h"

#define KEY_MAX 4096
#define VALUE_MAX (1u << 20)

struct maker {
	rulesource_record *record;
	void *ctx;
	struct str value;
	bool stopped;
};

static void make(struct maker *m, struct str key)
{
	if (!m->stopped)
		m->stopped = !m->record(m->ctx, key, m->value);
}

/* ---- keys ---- */

static unsigned width(const struct inetaddr *a)
{
	return a->v6 ? 128 : 32;
}

void rulesource_add_bits(const struct inetaddr *a, unsigned n, struct buf *key)
{
	buf_addc(key, a->v6 ? '^' : '_');
	for (unsigned i = 0; i < n; i++)
		buf_addc(key, a->ip[i / 8] >> (7 - i % 8) & 1 ? '1' : '0');
}

bool rulesource_block(struct str text, struct buf *key)
{
	struct str ip, length;
	struct inetaddr a;
	uint64_t n;

	if (!str_cut(text, '/', &ip, &length) || !inetaddr_parse_ip(ip, &a) || !str_to_u64(length, &n) || n > width(&a))
		return false;
	rulesource_add_bits(&a, (unsigned)n, key);
	return true;
}

/* "2001:db8:" is the block of the groups it names. */
static bool groups_key(struct str text, struct buf *key)
{
	char whole[INETADDR_TEXT];
	struct inetaddr a;
	unsigned groups = 0;

	if (text.n < 2 || text.n + 2 > sizeof whole || text.p[text.n - 1] != ':' || str_find(text, STR("::")) < text.n)
		return false;
	for (size_t i = 0; i < text.n; i++)
		groups += text.p[i] == ':';
	memcpy(whole, text.p, text.n);
	whole[text.n] = ':';
	if (groups > 7 || !inetaddr_parse_ip((struct str){ whole, text.n + 1 }, &a))
		return false;
	rulesource_add_bits(&a, 16 * groups, key);
	return true;
}

/* An IPv6 address in its shortest form, with what stands before an `@` in front. */
static bool v6_key(struct str text, struct buf *key)
{
	size_t at = str_rchr(text, '@');
	struct str ip = at < text.n ? str_from(text, at + 1) : text;
	char shortest[INETADDR_TEXT];
	struct inetaddr a;

	if (!inetaddr_parse_ip(ip, &a) || !a.v6)
		return false;
	inetaddr_text(&a, shortest);
	buf_add(key, str_head(text, text.n - ip.n));
	buf_addz(key, shortest);
	return true;
}

static bool special_key(struct str text, struct buf *key)
{
	return v6_key(text, key) || rulesource_block(text, key) || groups_key(text, key);
}

/* Digits only; none are 0. More than 255 is 256. */
static bool bound(struct str digits, unsigned *n)
{
	*n = 0;
	for (size_t i = 0; i < digits.n; i++) {
		if (!chr_digit(digits.p[i]))
			return false;
		*n = *n * 10 + (unsigned)(digits.p[i] - '0');
		if (*n > 256)
			*n = 256;
	}
	return true;
}

/* The number that ends at the first `-` and the one that begins there become each number between them. */
static bool expand(struct maker *m, struct str text)
{
	size_t dash = str_chr(text, '-'), left = str_rchr(str_head(text, dash), '.');
	struct str right = str_from(text, dash + 1);
	size_t end = str_chr(right, '.');
	struct buf key = BUF_INIT(KEY_MAX);
	unsigned low, high;

	left = left == dash ? 0 : left + 1;
	if (!bound((struct str){ text.p + left, dash - left }, &low) || !bound(str_head(right, end), &high))
		return false;
	if (high > 255)
		high = 255;
	for (; low <= high; low++) {
		buf_clear(&key);
		buf_add(&key, str_head(text, left));
		buf_addu(&key, low);
		buf_add(&key, str_from(right, end));
		if (buf_ok(&key))
			make(m, buf_str(&key));
	}
	buf_free(&key);
	return true;
}

static bool make_keys(struct maker *m, struct str text, bool colon)
{
	struct buf special = BUF_INIT(KEY_MAX);
	bool name = str_chr(text, '=') < text.n || str_chr(text, '@') < text.n, ok = true;

	if (text.n > KEY_MAX / 2)
		return false;
	if (special_key(text, &special))
		make(m, buf_str(&special));
	else if (colon)
		ok = false;
	else if (!name && str_chr(text, '-') < text.n)
		ok = expand(m, text);
	else
		make(m, text);
	buf_free(&special);
	return ok;
}

/* ---- lines ---- */

/* ",VAR=QvalueQ…" with any byte as Q. */
static bool read_variables(struct str rest, struct buf *value)
{
	struct str name;
	size_t end;

	while (rest.n) {
		if (*rest.p != ',' || !str_cut(str_from(rest, 1), '=', &name, &rest) || rest.n == 0)
			return false;
		end = str_chr(str_from(rest, 1), *rest.p);
		if (end + 1 >= rest.n)
			return false;
		buf_addc(value, '+');
		buf_add(value, name);
		buf_addc(value, '=');
		buf_add(value, str_head(str_from(rest, 1), end));
		buf_addc(value, 0);
		rest = str_from(rest, end + 2);
	}
	return true;
}

/* Splits behind the first colon that a verdict follows. */
static bool split(struct str line, struct str *key, struct str *rest, bool *deny)
{
	for (size_t i = 0; i < line.n; i++) {
		if (line.p[i] != ':')
			continue;
		*rest = str_from(line, i + 1);
		*deny = str_starts(*rest, STR("deny"));
		if (!*deny && !str_starts(*rest, STR("allow")))
			continue;
		*key = str_head(line, i);
		*rest = str_from(*rest, *deny ? 4 : 5);
		return true;
	}
	return false;
}

enum rulesource rulesource_read(struct str line, rulesource_record *record, void *ctx, bool *stopped)
{
	struct maker m = { .record = record, .ctx = ctx };
	struct buf value = BUF_INIT(VALUE_MAX);
	struct str key, rest;
	bool deny, ok;

	*stopped = false;
	line = str_trim_end(line);
	if (line.n == 0 || *line.p == '#')
		return RULESOURCE_EMPTY;
	if (str_chr(line, ':') == line.n)
		return RULESOURCE_IGNORED;
	if (!split(line, &key, &rest, &deny))
		return RULESOURCE_BAD;
	if (deny)
		buf_add(&value, STR("D\0"));
	ok = read_variables(rest, &value) && buf_ok(&value);
	m.value = buf_str(&value);
	ok = ok && make_keys(&m, key, str_chr(key, ':') < key.n);
	*stopped = m.stopped;
	buf_free(&value);
	return ok ? RULESOURCE_RULE : RULESOURCE_BAD;
}

void rulesource_show(struct str key, struct buf *out)
{
	struct inetaddr a = { .v6 = key.n && *key.p == '^' };
	char text[INETADDR_TEXT];

	if (key.n == 0 || (*key.p != '_' && *key.p != '^') || key.n - 1 > width(&a)) {
		buf_add(out, key);
		return;
	}
	for (size_t i = 1; i < key.n; i++)
		if (key.p[i] == '1')
			a.ip[(i - 1) / 8] |= (unsigned char)(0x80 >> (i - 1) % 8);
	inetaddr_text(&a, text);
	buf_addz(out, text);
	buf_addc(out, '/');
	buf_addu(out, key.n - 1);
}

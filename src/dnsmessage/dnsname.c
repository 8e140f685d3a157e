#include "dnsmessage/dnsname.h"

/* As many as a name can have labels: nobody needs more, and a packet of pointers to pointers would keep us for seconds.
 */
#define JUMPS_MAX (DNSNAME_MAX / 2)

static unsigned byte_at(struct str s, size_t i)
{
	return (unsigned char)s.p[i];
}

static bool add_label(struct dnsname *name, struct str label)
{
	/* One byte stays free for the root label. */
	if (name->n + 1 + label.n + 1 > DNSNAME_MAX)
		return false;
	name->bytes[name->n++] = (unsigned char)label.n;
	for (size_t i = 0; i < label.n; i++)
		name->bytes[name->n++] = (unsigned char)chr_lower(label.p[i]);
	return true;
}

bool dnsname_read(struct str packet, size_t *at, struct dnsname *name)
{
	size_t i = *at, limit = *at;
	int jumps = 0;

	name->n = 0;
	for (;;) {
		unsigned c;

		if (i >= packet.n)
			return false;
		c = byte_at(packet, i++);
		if (c >= 192) {
			size_t to;

			if (i >= packet.n)
				return false;
			to = (c & 63) << 8 | byte_at(packet, i++);
			if (to >= limit || jumps == JUMPS_MAX)
				return false;
			if (jumps++ == 0)
				*at = i;
			i = limit = to;
			continue;
		}
		if (c > 63)
			return false;
		if (c == 0)
			break;
		if (c > packet.n - i || !add_label(name, (struct str){ packet.p + i, c }))
			return false;
		i += c;
	}
	name->bytes[name->n++] = 0;
	if (jumps == 0)
		*at = i;
	return true;
}

bool dnsname_eq(const struct dnsname *a, const struct dnsname *b)
{
	return a->n == b->n && memcmp(a->bytes, b->bytes, a->n) == 0;
}

bool dnsname_is_root(const struct dnsname *name)
{
	return name->n == 1;
}

static void add_text_byte(struct buf *out, unsigned char c)
{
	if (c == '.' || c == '\\') {
		buf_addc(out, '\\');
		buf_addc(out, (char)c);
	} else if (c <= 32 || c >= 127) {
		buf_addf(out, "\\%03u", c);
	} else {
		buf_addc(out, (char)c);
	}
}

void dnsname_text(const struct dnsname *name, struct buf *out)
{
	size_t i = 0;

	while (i < name->n && name->bytes[i]) {
		size_t end = i + 1 + name->bytes[i];

		if (i)
			buf_addc(out, '.');
		for (i++; i < end && i < name->n; i++)
			add_text_byte(out, name->bytes[i]);
	}
}

/* Bytes of text that stand for the one name byte at i; 0: a wrong escape. */
static size_t text_byte_length(struct str text, size_t i)
{
	if (text.p[i] != '\\')
		return 1;
	if (i + 1 >= text.n)
		return 0;
	if (!chr_digit(text.p[i + 1]))
		return 2;
	if (i + 3 >= text.n || !chr_digit(text.p[i + 2]) || !chr_digit(text.p[i + 3]))
		return 0;
	return (text.p[i + 1] - '0') * 100 + (text.p[i + 2] - '0') * 10 + (text.p[i + 3] - '0') < 256 ? 4 : 0;
}

bool dnsname_text_valid(struct str text)
{
	size_t total = 1, label = 0;

	if (text.n && text.p[text.n - 1] == '.' && !(text.n > 1 && text.p[text.n - 2] == '\\'))
		text.n--;
	for (size_t i = 0; i < text.n;) {
		size_t k = text_byte_length(text, i);

		if (k == 0 || text.p[i] == 0)
			return false;
		if (text.p[i] == '.') {
			if (label == 0)
				return false;
			total += label + 1;
			label = 0;
		} else if (++label > 63) {
			return false;
		}
		i += k;
	}
	return label > 0 && total + label + 1 <= DNSNAME_MAX;
}

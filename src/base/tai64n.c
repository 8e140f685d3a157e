#include "base/tai64n.h"

#define UNIX_EPOCH (((uint64_t)1 << 62) + 10)
#define BILLION 1000000000

struct tai64n tai64n_from_unix_ns(int64_t ns)
{
	int64_t seconds = ns / BILLION, rest = ns % BILLION;

	if (rest < 0) {
		rest += BILLION;
		seconds--;
	}
	return (struct tai64n){ UNIX_EPOCH + (uint64_t)seconds, (uint32_t)rest };
}

int64_t tai64n_unix(struct tai64n t)
{
	return (int64_t)(t.seconds - UNIX_EPOCH);
}

static void put_be(unsigned char *p, uint64_t v, size_t n)
{
	while (n--) {
		p[n] = (unsigned char)v;
		v >>= 8;
	}
}

static uint64_t get_be(const unsigned char *p, size_t n)
{
	uint64_t v = 0;

	while (n--)
		v = v << 8 | *p++;
	return v;
}

void tai64n_pack(unsigned char packed[TAI64N_PACKED], struct tai64n t)
{
	put_be(packed, t.seconds, 8);
	put_be(packed + 8, t.nanoseconds, 4);
}

struct tai64n tai64n_unpack(const unsigned char packed[TAI64N_PACKED])
{
	return (struct tai64n){ get_be(packed, 8), (uint32_t)get_be(packed + 8, 4) };
}

void tai64n_label(char label[TAI64N_LABEL], struct tai64n t)
{
	static const char digits[16] = {
		'0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'
	};
	unsigned char packed[TAI64N_PACKED];

	tai64n_pack(packed, t);
	*label++ = '@';
	for (size_t i = 0; i < sizeof packed; i++) {
		*label++ = digits[packed[i] >> 4];
		*label++ = digits[packed[i] & 15];
	}
}

/* Lower case only, as in the original: an upper-case word is no label. */
static int hex(char c)
{
	if (chr_digit(c))
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool tai64n_scan(struct str s, struct tai64n *t)
{
	unsigned char packed[TAI64N_PACKED];

	if (s.n < TAI64N_LABEL || s.p[0] != '@')
		return false;
	for (size_t i = 0; i < sizeof packed; i++) {
		int high = hex(s.p[1 + 2 * i]), low = hex(s.p[2 + 2 * i]);

		if (high < 0 || low < 0)
			return false;
		packed[i] = (unsigned char)(high << 4 | low);
	}
	*t = tai64n_unpack(packed);
	return t->nanoseconds < BILLION;
}

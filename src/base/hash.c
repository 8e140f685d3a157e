#include "base/hash.h"

static inline uint64_t rotl(uint64_t v, int b)
{
	return (v << b) | (v >> (64 - b));
}

struct sip {
	uint64_t v0, v1, v2, v3;
};

static inline void sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v1 = rotl(s->v1, 13) ^ s->v0;
	s->v0 = rotl(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = rotl(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = rotl(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = rotl(s->v1, 17) ^ s->v2;
	s->v2 = rotl(s->v2, 32);
}

uint64_t hash_str(struct hash_key key, struct str in)
{
	struct sip s = { key.k0 ^ 0x736f6d6570736575u, key.k1 ^ 0x646f72616e646f6du, key.k0 ^ 0x6c7967656e657261u,
			 key.k1 ^ 0x7465646279746573u };
	uint64_t last = (uint64_t)in.n << 56;
	size_t i;

	for (i = 0; i + 8 <= in.n; i += 8) {
		uint64_t m;

		memcpy(&m, in.p + i, 8);
		s.v3 ^= m;
		sip_round(&s);
		s.v0 ^= m;
	}
	for (size_t j = 0; i + j < in.n; j++)
		last |= (uint64_t)(unsigned char)in.p[i + j] << (8 * j);
	s.v3 ^= last;
	sip_round(&s);
	s.v0 ^= last;
	s.v2 ^= 0xff;
	sip_round(&s);
	sip_round(&s);
	sip_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

uint64_t hash_u64(uint64_t v)
{
	v ^= v >> 33;
	v *= 0xff51afd7ed558ccdu;
	v ^= v >> 33;
	v *= 0xc4ceb9fe1a85ec53u;
	return v ^ (v >> 33);
}

#include "sys/random.h"

#include <errno.h>
#include <sys/random.h>
#include <unistd.h>

void random_bytes(void *p, size_t n)
{
	char *c = p;

	while (n) {
		ssize_t r = getrandom(c, n, 0);

		if (r == -1 && errno == EINTR)
			continue;
		if (r <= 0)
			_exit(111);
		c += r;
		n -= (size_t)r;
	}
}

uint32_t random_below(uint32_t bound)
{
	uint32_t limit = UINT32_MAX - UINT32_MAX % bound, v;

	do
		random_bytes(&v, sizeof v);
	while (v >= limit);
	return v % bound;
}

struct hash_key random_hash_key(void)
{
	struct hash_key key;

	random_bytes(&key, sizeof key);
	return key;
}

#include "sched/policy.h"

#define CONCURRENCY_MAX 10000
#define RATE_MAX 1000000
#define TIME_MAX_SECONDS (10LL * 366 * 86400)

static int64_t isqrt(int64_t n)
{
	int64_t root = 0;

	for (int64_t bit = (int64_t)1 << 31; bit; bit >>= 1)
		if ((root | bit) <= n / (root | bit))
			root |= bit;
	return root;
}

int64_t sched_next_attempt(int64_t birth, int64_t now, int channel)
{
	int64_t age = now > birth ? now - birth : 0;
	int64_t n = isqrt(age) + (channel == SCHED_LOCAL ? 10 : 20);

	return birth + n * n;
}

int64_t policy_next_attempt(const struct policy *p, int64_t birth, int64_t now, int channel)
{
	int64_t age = now > birth ? now - birth : 0, passed = 0;
	uint32_t i = 0;

	if (p->nwaits == 0)
		return sched_next_attempt(birth, now, channel);
	while (i + 1 < p->nwaits && passed + p->waits[i] <= age)
		passed += p->waits[i++];
	return now + p->waits[i];
}

static int64_t unit_seconds(char c)
{
	switch (c) {
	case 's':
		return 1;
	case 'm':
		return 60;
	case 'h':
		return 3600;
	case 'd':
		return 86400;
	case 'w':
		return 7 * 86400;
	default:
		return 0;
	}
}

/* Seconds, or a number with a unit; 1 s to ten years. */
static bool take_time(struct str s, int64_t *seconds)
{
	int64_t unit = 1;
	uint64_t n;

	if (s.n && !chr_digit(s.p[s.n - 1])) {
		unit = unit_seconds(s.p[s.n - 1]);
		s.n--;
	}
	if (unit == 0 || !str_to_u64(s, &n) || n == 0 || n > (uint64_t)(TIME_MAX_SECONDS / unit))
		return false;
	*seconds = (int64_t)n * unit;
	return true;
}

static bool take_rate(struct str s, int64_t *interval_us)
{
	struct str number, unit;
	uint64_t n;
	int64_t per;

	if (!str_cut(s, '/', &number, &unit) || unit.n != 1 || (per = unit_seconds(*unit.p)) == 0)
		return false;
	if (!str_to_u64(number, &n) || n == 0 || n > RATE_MAX)
		return false;
	*interval_us = per * 1000000 / (int64_t)n;
	return true;
}

static bool take_retry(struct str s, struct policy *p)
{
	struct str one;
	int64_t wait;

	p->has_retry = true;
	p->nwaits = 0;
	if (str_eq(s, STR("qmail")))
		return true;
	do {
		bool more = str_cut(s, ',', &one, &s);

		if (p->nwaits == POLICY_WAITS_MAX || !take_time(one, &wait))
			return false;
		p->waits[p->nwaits++] = (uint32_t)wait;
		if (!more)
			return true;
	} while (true);
}

static bool take_concurrency(struct str s, uint32_t *concurrency)
{
	uint64_t n;

	if (!str_to_u64(s, &n) || n == 0)
		return false;
	*concurrency = n > CONCURRENCY_MAX ? CONCURRENCY_MAX : (uint32_t)n;
	return true;
}

/* A word that is good but set already, by a line that says more about the destination, changes nothing. */
static bool take_word(struct policy *p, struct str name, struct str value)
{
	struct policy fresh = { 0 };

	if (str_eq(name, STR("concurrency"))) {
		if (!take_concurrency(value, &fresh.concurrency))
			return false;
		p->concurrency = p->concurrency ? p->concurrency : fresh.concurrency;
	} else if (str_eq(name, STR("rate"))) {
		if (!take_rate(value, &fresh.interval_us))
			return false;
		p->interval_us = p->interval_us ? p->interval_us : fresh.interval_us;
	} else if (str_eq(name, STR("lifetime"))) {
		if (!take_time(value, &fresh.lifetime))
			return false;
		p->lifetime = p->lifetime ? p->lifetime : fresh.lifetime;
	} else if (str_eq(name, STR("notice"))) {
		if (!take_time(value, &fresh.notice))
			return false;
		p->notice = p->notice ? p->notice : fresh.notice;
	} else if (str_eq(name, STR("retry"))) {
		if (!take_retry(value, &fresh))
			return false;
		if (p->has_retry)
			return true;
		p->has_retry = true;
		p->nwaits = fresh.nwaits;
		memcpy(p->waits, fresh.waits, sizeof p->waits);
	} else {
		return false;
	}
	return true;
}

static size_t word_end(struct str s)
{
	size_t space = str_chr(s, ' '), tab = str_chr(s, '\t');

	return space < tab ? space : tab;
}

bool policy_add(struct policy *p, struct str words, struct err *e)
{
	struct policy result = *p;

	for (words = str_trim_start(words); words.n; words = str_trim_start(words)) {
		struct str word = str_head(words, word_end(words)), name, value;

		if (!str_cut(word, '=', &name, &value) || !take_word(&result, name, value))
			return err_perm(e, "\"%.*s\" is not understood", (int)(word.n < 100 ? word.n : 100), word.p);
		words = str_from(words, word.n);
	}
	*p = result;
	return true;
}

#include "quill/quill_size.h"

static const char units[] = "KMGT";

/* How many bytes the letter stands for; 1 when it is none. */
static uint64_t unit_of(char c)
{
	uint64_t bytes = 1;

	for (const char *u = units; *u; u++) {
		bytes *= 1024;
		if (*u == c)
			return bytes;
	}
	return 1;
}

static bool parse_limit(struct str limit, struct maildir_quota *q)
{
	bool messages = str_ends(limit, STR("C"));
	uint64_t *value = messages ? &q->messages : &q->bytes, unit = 1;

	if (!messages && !str_ends(limit, STR("S")) && limit.n)
		unit = unit_of(limit.p[limit.n - 1]);
	if (messages || str_ends(limit, STR("S")) || unit > 1)
		limit.n--;
	if (!str_to_u64(limit, value) || *value == 0 || *value > (UINT64_C(1) << 50) / unit)
		return false;
	*value *= unit;
	return true;
}

bool quill_size_parse(struct str text, struct maildir_quota *q)
{
	struct str limit;

	*q = (struct maildir_quota){ 0 };
	if (str_eq(text, STR("none")))
		return true;
	if (text.n == 0)
		return false;
	while (text.n) {
		str_cut(text, ',', &limit, &text);
		if (!parse_limit(limit, q))
			return false;
	}
	return true;
}

static void add_bytes(struct buf *b, uint64_t bytes)
{
	size_t i = 0;

	/* Exact, where it is a round number. */
	while (bytes && bytes % 1024 == 0 && units[i]) {
		bytes /= 1024;
		i++;
	}
	buf_addu(b, bytes);
	if (i)
		buf_addc(b, units[i - 1]);
}

void quill_size_format(struct buf *b, const struct maildir_quota *q)
{
	if (q->bytes || q->messages == 0)
		add_bytes(b, q->bytes);
	if (q->messages)
		buf_addf(b, "%s%lluC", q->bytes ? "," : "", (unsigned long long)q->messages);
}

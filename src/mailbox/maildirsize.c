#include "mailbox/maildirsize.h"

bool maildir_quota_parse(struct str text, struct maildir_quota *q)
{
	*q = (struct maildir_quota){ 0 };
	text = str_trim_end(text);
	while (text.n) {
		struct str limit;
		uint64_t v;

		str_cut(text, ',', &limit, &text);
		if (limit.n < 2 || !str_to_u64(str_head(limit, limit.n - 1), &v))
			return false;
		if (limit.p[limit.n - 1] == 'S')
			q->bytes = v;
		else if (limit.p[limit.n - 1] == 'C')
			q->messages = v;
	}
	return true;
}

void maildir_quota_format(struct buf *b, const struct maildir_quota *q)
{
	if (q->bytes)
		buf_addf(b, "%lluS", (unsigned long long)q->bytes);
	if (q->messages)
		buf_addf(b, "%s%lluC", q->bytes ? "," : "", (unsigned long long)q->messages);
	/* An empty line would be malformed for others. */
	if (!maildir_quota_limits(q))
		buf_addz(b, "0S");
}

bool maildir_quota_limits(const struct maildir_quota *q)
{
	return q->bytes != 0 || q->messages != 0;
}

/* A number that may be negative; sizes beyond 2^62 are nonsense and would overflow sums. */
static bool number(struct str s, int64_t *v)
{
	bool negative = str_starts(s, STR("-"));
	uint64_t u;

	if (!str_to_u64(str_from(s, negative ? 1 : 0), &u) || u > (UINT64_C(1) << 40))
		return false;
	*v = negative ? -(int64_t)u : (int64_t)u;
	return true;
}

bool maildirsize_parse(struct str text, struct maildirsize *s)
{
	struct str line;

	*s = (struct maildirsize){ 0 };
	/* The last line of a file that is being written may lack its end. */
	if (text.n == 0 || text.p[text.n - 1] != '\n')
		return false;
	str_next_line(&text, &line);
	if (!maildir_quota_parse(line, &s->quota))
		return false;
	for (; str_next_line(&text, &line); s->lines++) {
		struct str bytes, messages;
		int64_t b, m;

		str_cut(str_trim_end(str_trim_start(line)), ' ', &bytes, &messages);
		if (!number(bytes, &b) || !number(str_trim_start(messages), &m))
			return false;
		s->bytes += b;
		s->messages += m;
	}
	return true;
}

static bool exceeds(int64_t have, uint64_t more, uint64_t limit)
{
	uint64_t now = have > 0 ? (uint64_t)have : 0;

	return limit != 0 && (now > limit || more > limit - now);
}

bool maildirsize_over(const struct maildirsize *s, uint64_t bytes, uint64_t messages)
{
	return exceeds(s->bytes, bytes, s->quota.bytes) || exceeds(s->messages, messages, s->quota.messages);
}

uint64_t maildirsize_room(const struct maildirsize *s)
{
	uint64_t used = s->bytes > 0 ? (uint64_t)s->bytes : 0;

	if (exceeds(s->messages, 1, s->quota.messages))
		return 0;
	if (s->quota.bytes == 0)
		return UINT64_MAX;
	return used < s->quota.bytes ? s->quota.bytes - used : 0;
}

bool maildir_name_size(struct str name, char letter, uint64_t *size)
{
	const char mark[] = { ',', letter, '=' };
	struct str rest = str_head(name, str_chr(name, ':'));
	size_t at = str_find(rest, (struct str){ mark, sizeof mark }), n = 0;

	if (at == rest.n)
		return false;
	rest = str_from(rest, at + sizeof mark);
	while (n < rest.n && chr_digit(rest.p[n]))
		n++;
	return (n == rest.n || rest.p[n] == ',') && str_to_u64(str_head(rest, n), size) && *size < (UINT64_C(1) << 40);
}

bool maildir_name_flag(struct str name, char flag)
{
	size_t at = str_find(name, STR(":2,"));

	return at < name.n && str_chr(str_from(name, at + 3), flag) < name.n - at - 3;
}

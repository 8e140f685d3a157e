#include "supervision/svstatus.h"

void svstatus_pack(unsigned char packed[SVSTATUS_SIZE], const struct svstatus *s)
{
	tai64n_pack(packed, s->since);
	for (int i = 0; i < 4; i++)
		packed[12 + i] = (unsigned char)(s->pid >> 8 * i);
	packed[16] = s->paused;
	packed[17] = (unsigned char)s->want;
}

struct svstatus svstatus_unpack(const unsigned char packed[SVSTATUS_SIZE])
{
	struct svstatus s = { .since = tai64n_unpack(packed), .paused = packed[16] != 0, .want = (char)packed[17] };

	for (int i = 0; i < 4; i++)
		s.pid |= (uint32_t)packed[12 + i] << 8 * i;
	return s;
}

static void add_wishes(struct buf *out, const struct svstatus *s, bool normally_up)
{
	if (s->pid && !normally_up)
		buf_addz(out, ", normally down");
	if (!s->pid && normally_up)
		buf_addz(out, ", normally up");
	if (s->pid && s->paused)
		buf_addz(out, ", paused");
	if (!s->pid && s->want == 'u')
		buf_addz(out, ", want up");
	if (s->pid && s->want == 'd')
		buf_addz(out, ", want down");
}

void svstatus_text(struct buf *out, const struct svstatus *s, bool normally_up, int64_t now)
{
	int64_t since = tai64n_unix(s->since);

	if (s->pid)
		buf_addf(out, "up (pid %u) ", s->pid);
	else
		buf_addz(out, "down ");
	buf_addu(out, now > since ? (uint64_t)now - (uint64_t)since : 0);
	buf_addz(out, " seconds");
	add_wishes(out, s, normally_up);
}

/* The older labels count no leap seconds before 1970. */
#define OLD_OFFSET 10

void oldstatus_pack(unsigned char packed[OLDSTATUS_SIZE], const struct svstatus *s, bool normally_up)
{
	struct tai64n since = { s->since.seconds - OLD_OFFSET, s->since.nanoseconds };

	tai64n_pack(packed, since);
	for (int i = 0; i < 4; i++) {
		packed[12 + i] = 0;
		packed[16 + i] = (unsigned char)(s->pid >> 8 * i);
	}
	packed[20] = normally_up;
	packed[21] = s->paused;
	packed[22] = (unsigned char)s->want;
}

struct svstatus oldstatus_unpack(const unsigned char packed[OLDSTATUS_SIZE], bool *normally_up)
{
	struct svstatus s = { .since = tai64n_unpack(packed), .paused = packed[21] != 0, .want = (char)packed[22] };

	s.since.seconds += OLD_OFFSET;
	for (int i = 0; i < 4; i++)
		s.pid |= (uint32_t)packed[16 + i] << 8 * i;
	*normally_up = packed[20] != 0;
	return s;
}

void oldstatus_text(struct buf *out, const struct svstatus *s, bool normally_up)
{
	buf_addf(out, "%lld ", (long long)tai64n_unix(s->since));
	if (s->pid)
		buf_addf(out, "up pid %u", s->pid);
	else
		buf_addz(out, "down");
	add_wishes(out, s, normally_up);
}

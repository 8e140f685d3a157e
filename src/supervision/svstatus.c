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

void svstatus_text(struct buf *out, const struct svstatus *s, bool normally_up, int64_t now)
{
	int64_t since = tai64n_unix(s->since);

	if (s->pid)
		buf_addf(out, "up (pid %u) ", s->pid);
	else
		buf_addz(out, "down ");
	buf_addu(out, now > since ? (uint64_t)now - (uint64_t)since : 0);
	buf_addz(out, " seconds");
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

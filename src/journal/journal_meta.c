/* journal_meta: the encoded fields of MESSAGE and MOVED records. */
#include "journal/journal_internal.h"
#include "wire/wire.h"

void message_meta_put(struct buf *b, const struct message_meta *m)
{
	wire_put_u64(b, (uint64_t)m->birth);
	wire_put_u64(b, (uint64_t)m->due);
	wire_put_u32(b, m->uid);
	wire_put_u32(b, m->pid);
	wire_put_u8(b, m->has_body);
	wire_put_u64(b, m->body_size);
	wire_put_u32(b, m->body_crc);
	wire_put_str(b, m->sender);
	wire_put_str(b, m->attributes);
	wire_put_u32(b, m->nrecipients);
	wire_put_str(b, m->recipients);
	wire_put_str(b, m->done);
	wire_put_u32(b, m->nnotes);
	wire_put_str(b, m->notes);
	if (m->answers.n == 0 && !m->told_late && m->reportable.n == 0)
		return;
	wire_put_str(b, m->answers);
	if (!m->told_late && m->reportable.n == 0)
		return;
	wire_put_u8(b, m->told_late);
	wire_put_str(b, m->reportable);
}

static bool enough_bits(struct str bits, uint32_t n)
{
	return bits.n == 0 || bits.n >= (n + 7) / 8;
}

bool message_meta_get(struct str meta, struct message_meta *m)
{
	struct wire_reader r = wire_reader(meta);

	m->birth = (int64_t)wire_get_u64(&r);
	m->due = (int64_t)wire_get_u64(&r);
	m->uid = wire_get_u32(&r);
	m->pid = wire_get_u32(&r);
	m->has_body = wire_get_u8(&r) != 0;
	m->body_size = wire_get_u64(&r);
	m->body_crc = wire_get_u32(&r);
	m->sender = wire_get_str(&r, SIZE_MAX);
	m->attributes = wire_get_str(&r, SIZE_MAX);
	m->nrecipients = wire_get_u32(&r);
	m->recipients = wire_get_str(&r, SIZE_MAX);
	m->done = wire_get_str(&r, SIZE_MAX);
	m->nnotes = wire_get_u32(&r);
	m->notes = wire_get_str(&r, SIZE_MAX);
	m->answers = r.rest.n ? wire_get_str(&r, SIZE_MAX) : STR("");
	m->told_late = false;
	m->reportable = STR("");
	if (r.rest.n) {
		m->told_late = wire_get_u8(&r) != 0;
		m->reportable = wire_get_str(&r, SIZE_MAX);
	}
	return wire_end(&r) && enough_bits(m->done, m->nrecipients) && enough_bits(m->reportable, m->nrecipients);
}

#include "qmail-send/send_notice.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "mail/dsn.h"
#include "submit/submit.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/random.h"

#define CHUNK 65536
#define HEADER_MAX (256u << 10) /* of an original of which only the header is given */
#define UNIQUE_BYTES 16

/* What a notice is made of, and what holds it. Nothing is freed: the process ends. */
struct material {
	const struct notice_order *o;
	const struct envelope *env;
	struct str sender; /* who is told; empty: whoever gets double bounces */
	struct notice notice;
	struct notice_recipient *recipients;
	size_t n;
	struct buf to;
	char unique[2 * UNIQUE_BYTES + 1];
};

/* ---- the original ------------------------------------------------------------------------ */

static ssize_t read_header(const struct material *m, char *header)
{
	ssize_t n = file_read_at(m->o->content, header, HEADER_MAX, 0);

	return n < 0 ? n : (ssize_t)notice_header_length((struct str){ header, (size_t)n });
}

/* The next piece of what is given of the original, at this offset; -1 on an error, 0 at its end. */
static ssize_t read_piece(const struct material *m, char *chunk, uint64_t at)
{
	if (!m->notice.header_only)
		return file_read_at(m->o->content, chunk, CHUNK, at);
	return at ? 0 : read_header(m, chunk);
}

/* Has it bytes that are not ASCII? False: it cannot be read. */
static bool find_8bit(struct material *m)
{
	static char chunk[HEADER_MAX];
	uint64_t at = 0;
	ssize_t n;

	while ((n = read_piece(m, chunk, at)) > 0 && !m->notice.eight_bit) {
		for (ssize_t i = 0; i < n; i++)
			m->notice.eight_bit |= (unsigned char)chunk[i] >= 128;
		at += (uint64_t)n;
	}
	return n >= 0;
}

static bool copy_original(struct submit *q, const struct material *m)
{
	static char chunk[HEADER_MAX];
	uint64_t at = 0;
	ssize_t n;

	while ((n = read_piece(m, chunk, at)) > 0) {
		submit_data(q, (struct str){ chunk, (size_t)n });
		at += (uint64_t)n;
	}
	return n >= 0;
}

static bool is_bulk(const struct material *m)
{
	static char header[HEADER_MAX];
	ssize_t n = read_header(m, header);

	return n > 0 && notice_is_bulk((struct str){ header, (size_t)n });
}

/* ---- recipients --------------------------------------------------------------------------- */

/* A successful delivery's note begins with what was done. */
static enum notice_action action_of(enum notice_kind kind, struct str *text)
{
	char c = text->n ? *text->p : 0;

	if (kind == NOTICE_DELAY)
		return NOTICE_DELAYED;
	if (kind != NOTICE_SUCCESS)
		return NOTICE_FAILED;
	*text = str_from(*text, 1);
	return c == SUCCESS_RELAYED ? NOTICE_RELAYED : c == SUCCESS_EXPANDED ? NOTICE_EXPANDED : NOTICE_DELIVERED;
}

/* The address as the sender knows it: without what virtualdomains put in front. */
static void add_recipient(struct material *m, uint32_t i, struct str text)
{
	struct buf *address = mem_zero(1, sizeof *address);

	*address = BUF_INIT(SIZE_MAX);
	route_base_address(&m->o->s->routes, envelope_recipient(m->env, i), address);
	m->recipients[m->n++] = (struct notice_recipient){
		.action = action_of(m->o->kind, &text),
		.address = buf_str(address),
		.orcpt = envelope_orcpt(m->env, i),
		.report = text,
	};
}

static void add_noted(struct material *m)
{
	struct wire_reader r = wire_reader(m->o->notes);

	while (r.rest.n && !r.bad && m->n < m->env->nrecipients) {
		uint32_t i = wire_get_u32(&r);
		struct str text = wire_get_str(&r, SIZE_MAX);

		if (i < m->env->nrecipients)
			add_recipient(m, i, text);
	}
}

/* Those who are late, and of whom the sender wants to hear. */
static void add_late(struct material *m)
{
	struct str *answers = mem_zero(m->env->nrecipients + 1, sizeof *answers);
	struct wire_reader r = wire_reader(m->o->notes);
	bool bulk = is_bulk(m), asked;

	while (r.rest.n && !r.bad) {
		uint32_t i = wire_get_u32(&r);
		struct str text = wire_get_str(&r, SIZE_MAX);

		if (i < m->env->nrecipients)
			answers[i] = text;
	}
	for (uint32_t i = 0; i < m->env->nrecipients; i++)
		if (bounce_delay_wanted(&m->o->s->config, m->env, i, &asked) && (asked || !bulk))
			add_recipient(m, i, answers[i].p ? answers[i] : STR(""));
	free(answers);
}

/* ---- all of it ------------------------------------------------------------------------------ */

static void make_unique(struct material *m)
{
	unsigned char bytes[UNIQUE_BYTES];

	random_bytes(bytes, sizeof bytes);
	for (size_t i = 0; i < sizeof bytes; i++)
		snprintf(m->unique + 2 * i, 3, "%02x", bytes[i]);
	m->notice.unique = str_of(m->unique);
}

static void find_addressee(struct material *m)
{
	const struct send_config *c = &m->o->s->config;

	m->sender = route_bounce_address(envelope_sender(m->env));
	m->to = BUF_INIT(SIZE_MAX);
	if (m->sender.n == 0) {
		buf_add(&m->to, buf_str(&c->doublebounceto));
		buf_addc(&m->to, '@');
		buf_add(&m->to, buf_str(&c->doublebouncehost));
	} else {
		buf_add(&m->to, m->sender);
	}
}

static void collect(struct material *m, const struct notice_order *o)
{
	const struct send_config *c = &o->s->config;
	const struct envelope *env = o->m->envelope;

	*m = (struct material){ .o = o, .env = env };
	find_addressee(m);
	m->notice = (struct notice){
		.kind = m->sender.n ? o->kind : NOTICE_DOUBLE_BOUNCE,
		.plain = c->plain_bounces && o->kind == NOTICE_BOUNCE,
		.from = buf_str(&c->bouncefrom),
		.host = buf_str(&c->bouncehost),
		.to = buf_str(&m->to),
		.return_path = m->sender,
		.envid = envelope_envid(env),
		.now = clock_wall(),
		.arrival = o->m->birth,
		.until = o->m->birth + (int64_t)c->lifetime,
		.pid = (unsigned long)getpid(),
		.utf8 = (env->flags & MESSAGE_SMTPUTF8) != 0,
	};
	/* RFC 3461 §4.3: only what failed comes back as a whole. */
	m->notice.header_only = o->kind != NOTICE_BOUNCE || (m->sender.n && env->ret == DSN_RET_HDRS) ||
				(c->bounce_max && env->size > c->bounce_max);
	m->recipients = mem_array(NULL, env->nrecipients + 1, sizeof *m->recipients);
	make_unique(m);
	if (o->kind == NOTICE_DELAY)
		add_late(m);
	else
		add_noted(m);
	m->notice.recipients = m->recipients;
	m->notice.n = m->n;
}

static void put_envelope(struct submit *q, const struct material *m)
{
	submit_attribute(q, ATTR_PROTOCOL, STR("bounce"));
	if (!m->notice.plain && m->notice.eight_bit)
		submit_attribute(q, ATTR_BODY_8BIT, STR(""));
	if (!m->notice.plain && notice_needs_utf8(&m->notice))
		submit_attribute(q, ATTR_SMTPUTF8, STR(""));
	submit_sender(q, m->sender.n == 0 ? STR("#@[]") : STR(""));
	submit_recipient(q, m->notice.to);
}

unsigned long notice_send(const struct notice_order *o)
{
	struct buf head = BUF_INIT(SIZE_MAX), tail = BUF_INIT(SIZE_MAX);
	struct submit q = SUBMIT_INIT;
	struct submit_result r;
	struct material m;
	struct err e;

	collect(&m, o);
	if (m.n == 0 && o->kind == NOTICE_DELAY)
		return NOTICE_NOT_NEEDED;
	if (!find_8bit(&m))
		return 0;
	notice_head(&head, &m.notice);
	notice_tail(&tail, &m.notice);
	if (!submit_begin(&q, true, &e))
		return 0;
	put_envelope(&q, &m);
	submit_data(&q, buf_str(&head));
	if (!copy_original(&q, &m)) {
		submit_cancel(&q);
		return 0;
	}
	submit_data(&q, buf_str(&tail));
	return submit_commit(&q, &r) ? (unsigned long)r.qp : 0;
}

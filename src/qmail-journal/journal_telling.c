/*
 * journal_telling: telling the scheduler and operators' tools about messages.
 *
 * What is told of a whole queue is made a part at a time, when the peer has
 * read the part before: a million messages need their numbers in memory and
 * nothing else, and other connections have their turns meanwhile.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "qmail-journal/journal_server.h"
#include "sys/service.h"
#include "wire/attribute.h"

#define WAITING_PER_PACKET 4000
#define MESSAGES_A_TURN 256
#define NUMBERS_A_TURN 40000
#define RECIPIENT_ATTRIBUTES_MAX 2000
#define BYTES_A_TURN (256u << 10)

static uint8_t flags_of(const struct journal_envelope *env)
{
	struct wire_reader r = wire_reader(env->attributes);
	uint8_t flags = (uint8_t)((env->failed ? MESSAGE_FAILED : 0) | (env->reportable ? MESSAGE_REPORTABLE : 0) |
				  (env->told_late ? MESSAGE_TOLD_LATE : 0));

	while (r.rest.n && !r.bad) {
		uint8_t which = wire_get_u8(&r);

		wire_get_str(&r, SIZE_MAX);
		if (which == ATTR_BODY_8BIT)
			flags |= MESSAGE_8BIT;
		if (which == ATTR_SMTPUTF8)
			flags |= MESSAGE_SMTPUTF8;
		if (which == ATTR_SUBMISSION)
			flags |= MESSAGE_SUBMITTED;
	}
	return flags;
}

void tell_message(struct manager *g, const struct journal_envelope *env)
{
	struct wire_reader r = wire_reader(env->recipients);
	struct message_packet m = { .id = env->id,
				    .birth = (uint64_t)env->birth,
				    .due = (uint64_t)env->due,
				    .size = env->size,
				    .uid = env->uid,
				    .pid = env->pid,
				    .total = env->nrecipients,
				    .sender = env->sender,
				    .attributes = env->attributes };
	uint8_t flags = flags_of(env);
	struct buf out = BUF_INIT(SIZE_MAX), list = BUF_INIT(SIZE_MAX);

	do {
		buf_clear(&out);
		buf_clear(&list);
		for (m.count = 0; m.first + m.count < m.total && list.n < QUEUE_PACKET_MAX / 2; m.count++) {
			struct str address = wire_get_str(&r, SIZE_MAX), attributes = wire_get_str(&r, SIZE_MAX);

			/* More than any attribute that is known needs. */
			if (attributes.n > RECIPIENT_ATTRIBUTES_MAX)
				attributes = STR("");
			queue_put_recipient(&list, journal_done(g->sv->journal, m.id, m.first + m.count), address,
					    attributes);
		}
		m.flags = flags | (m.first + m.count < m.total ? MESSAGE_MORE : 0);
		queue_put_message(&out, &m);
		buf_add(&out, buf_str(&list));
		manager_send(g, buf_str(&out), -1);
		m.first += m.count;
	} while (m.flags & MESSAGE_MORE);
	buf_free(&out);
	buf_free(&list);
}

/* ---- answers ------------------------------------------------------------------------------- */

struct answer_teller {
	struct manager *g;
	uint64_t id;
	char letter;
};

static void tell_answer(void *ctx, uint32_t recipient, struct str text)
{
	struct answer_teller *a = ctx;
	struct buf out = BUF_INIT(QUEUE_PACKET_MAX);

	wire_put_u8(&out, PACKET_ANSWER);
	wire_put_u64(&out, a->id);
	wire_put_u32(&out, recipient);
	wire_put_u8(&out, (uint8_t)a->letter);
	wire_put_str(&out, text);
	if (buf_ok(&out))
		manager_send(a->g, buf_str(&out), -1);
	buf_free(&out);
}

static void tell_note(void *ctx, uint32_t recipient, enum journal_result result, struct str text)
{
	if (result == JOURNAL_FAILED)
		tell_answer(ctx, recipient, text);
}

void tell_answers(struct manager *g, const struct journal_envelope *env)
{
	struct answer_teller a = { g, env->id, 'D' };
	struct err e;

	if (env->failed)
		journal_each_note(g->sv->journal, env->id, tell_note, &a, &e);
	a.letter = 'Z';
	journal_each_answer(g->sv->journal, env->id, tell_answer, &a);
}

/* ---- the whole queue ----------------------------------------------------------------------- */

static void tell_numbers(struct manager *g, const struct journal_info *info, uint32_t n)
{
	struct buf out = BUF_INIT(SIZE_MAX);

	wire_put_u8(&out, PACKET_WAITING);
	wire_put_u32(&out, n);
	for (uint32_t i = 0; i < n; i++) {
		wire_put_u64(&out, info[i].id);
		wire_put_u64(&out, (uint64_t)info[i].birth);
		wire_put_u64(&out, (uint64_t)info[i].due);
	}
	manager_send(g, buf_str(&out), -1);
	buf_free(&out);
}

void tell_number(struct manager *g, const struct journal_info *info)
{
	tell_numbers(g, info, 1);
}

static void some_numbers(struct manager *g)
{
	static struct journal_info part[WAITING_PER_PACKET];
	struct stream *s = &g->stream;
	uint32_t n = 0;

	for (size_t end = s->at + NUMBERS_A_TURN; s->at < s->n && s->at < end; s->at++) {
		if (journal_info_of(g->sv->journal, s->ids[s->at], &part[n]))
			n++;
		if (n == WAITING_PER_PACKET) {
			tell_numbers(g, part, n);
			n = 0;
		}
	}
	if (n)
		tell_numbers(g, part, n);
}

static void some_messages(struct manager *g)
{
	struct stream *s = &g->stream;

	for (size_t end = s->at + MESSAGES_A_TURN; s->at < s->n && s->at < end && g->out.bytes < BYTES_A_TURN;
	     s->at++) {
		struct journal_info info;
		struct journal_envelope env;
		struct err e;

		/* It may have ended since we began. */
		if (!journal_info_of(g->sv->journal, s->ids[s->at], &info) ||
		    !journal_read_head(g->sv->journal, info.id, &env, &e))
			continue;
		tell_message(g, &env);
		if (s->want & OPEN_ANSWERS)
			tell_answers(g, &env);
		buf_free(&env.storage);
	}
}

void tell_more(struct manager *g)
{
	struct stream *s = &g->stream;
	char ready = PACKET_READY;

	if (s->numbers)
		some_numbers(g);
	else
		some_messages(g);
	/* The event tells when there is room for more, also when all went out at once. */
	event_add(g->writable, NULL);
	if (s->at < s->n)
		return;
	free(s->ids);
	*s = (struct stream){ 0 };
	manager_send(g, (struct str){ &ready, 1 }, -1);
}

static void collect(void *ctx, const struct journal_info *info)
{
	struct stream *s = ctx;

	s->ids[s->n++] = info->id;
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

void tell_all(struct manager *g, bool numbers, uint8_t want)
{
	struct stream *s = &g->stream;

	free(s->ids);
	*s = (struct stream){ .numbers = numbers, .want = want };
	s->ids = mem_array(NULL, journal_count(g->sv->journal) + 1, sizeof *s->ids);
	journal_each(g->sv->journal, collect, s);
	if (!numbers && s->n)
		qsort(s->ids, s->n, sizeof *s->ids, by_number);
	tell_more(g);
}

void tell_address(struct server *sv, uint64_t id, uint32_t recipient, struct buf *out)
{
	struct journal_envelope env;
	struct wire_reader r;
	struct err e;

	if (!journal_read_head(sv->journal, id, &env, &e)) {
		wire_put_str(out, STR(""));
		return;
	}
	r = wire_reader(env.recipients);
	for (uint32_t i = 0; i < recipient; i++) {
		wire_get_str(&r, SIZE_MAX);
		wire_get_str(&r, SIZE_MAX);
	}
	wire_put_str(out, wire_get_str(&r, SIZE_MAX));
	buf_free(&env.storage);
}

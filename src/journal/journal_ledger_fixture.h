/*
 * journal_ledger_fixture: what the journal has promised, written down beside
 * it, and whether what is found in it keeps the promises. For the crash tests.
 */
#ifndef JOURNAL_JOURNAL_LEDGER_FIXTURE_H
#define JOURNAL_JOURNAL_LEDGER_FIXTURE_H

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "journal/journal.h"
#include "simdisk/simdisk.h"
#include "sys/file.h"
#include "wire/wire.h"

#define RECIPIENTS_MAX 5
#define DUES_MAX 64

static struct {
	unsigned long runs, crashes, boots, faults, meanwhile;
} counts;

/* ---- chance -------------------------------------------------------------------------- */

struct chance {
	uint64_t state;
};

static uint64_t chance_next(struct chance *c)
{
	uint64_t z = c->state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static uint32_t below(struct chance *c, uint32_t n)
{
	return (uint32_t)(chance_next(c) % n);
}

/* ---- the ledger ------------------------------------------------------------------------- */

/* How far something has got. */
enum reach { NEVER, STAGED, WRITTEN, DURABLE };

struct result {
	enum reach reach;
	enum journal_result result;
	enum reach reported;
};

struct promise {
	uint64_t id;
	uint64_t tag; /* makes sender, recipients and content */
	uint32_t nrecipients;
	bool has_body;
	bool earlier;       /* it is older than the recovery that goes on */
	bool refused;       /* commit returned false */
	enum reach message; /* DURABLE: acknowledged */
	enum reach end;
	enum reach late;    /* the sender was told */
	enum reach revoked; /* a refused message: how certain it is that it does not come back */
	struct result results[RECIPIENTS_MAX];
	/* Which edition of the sender and of the first recipient's address may be found. */
	uint32_t sender_from, sender_to, address_from, address_to;
	int64_t dues[DUES_MAX]; /* which it may have; the first is durable */
	enum reach due_reach[DUES_MAX];
	int ndues;
};

struct world {
	struct chance chance;
	struct journal *j;
	int root;
	struct promise *promises;
	size_t n;
	bool errors; /* the disk may fail while the power stays */
	bool parts;  /* recovery goes in parts */
	bool recovering;
	struct buf warnings;
	int zeros; /* the segment, open for writing zeros; -1 */
	uint64_t segment_size, zeroed;
};

static void text_of(uint64_t tag, uint32_t what, char out[64])
{
	snprintf(out, 64, "%llx-%lx@example.org", (unsigned long long)tag, (unsigned long)what);
}

static void note_of(uint64_t tag, uint32_t recipient, char out[64])
{
	snprintf(out, 64, "Not there: %llx %lx\n", (unsigned long long)tag, (unsigned long)recipient);
}

static size_t content_size(uint64_t tag)
{
	struct chance c = { tag };
	uint32_t kind = below(&c, 8);

	return kind == 0 ? 0 : kind < 5 ? below(&c, 900) : kind < 7 ? below(&c, 6000) : below(&c, 25000);
}

static void add_content(struct buf *b, uint64_t tag)
{
	struct chance c = { tag ^ 0x55 };
	size_t n = content_size(tag);

	while (n) {
		uint64_t v = chance_next(&c);
		size_t k = n < sizeof v ? n : sizeof v;

		buf_add(b, (struct str){ (char *)&v, k });
		n -= k;
	}
}

#define EDITIONS 1000 /* text_of(tag, EDITIONS + n): the nth edition of the first recipient */
#define SENDERS 2000

static void add_recipients(struct buf *b, uint64_t tag, uint32_t n, uint32_t edition)
{
	char text[64];

	for (uint32_t i = 0; i < n; i++) {
		text_of(tag, i == 0 ? EDITIONS + edition : i, text);
		wire_put_str(b, str_of(text));
		wire_put_str(b, STR(""));
	}
}

static struct promise *promise_find(struct world *w, uint64_t id)
{
	for (size_t i = 0; i < w->n; i++)
		if (w->promises[i].id == id)
			return &w->promises[i];
	return NULL;
}

/* ---- what may be found ---------------------------------------------------------------------- */

static bool must_exist(const struct promise *p, enum reach need)
{
	return p->message >= need && !p->refused && p->end == NEVER;
}

static bool may_exist(const struct promise *p, enum reach need)
{
	return p->message != NEVER && p->end < need && p->revoked < need;
}

struct notes_found {
	const struct promise *p;
	unsigned seen, failed;
};

static void check_note(void *ctx, uint32_t recipient, enum journal_result result, struct str text)
{
	struct notes_found *f = ctx;
	char expected[64];

	note_of(f->p->tag, recipient, expected);
	assert_true(recipient < f->p->nrecipients);
	assert_int_equal(f->p->results[recipient].result, result);
	assert_int_not_equal(result, JOURNAL_DELIVERED);
	assert_int_not_equal(f->p->results[recipient].reach, NEVER);
	assert_false(f->seen >> recipient & 1);
	f->seen |= 1u << recipient;
	if (result == JOURNAL_FAILED)
		f->failed |= 1u << recipient;
	if (!str_eq(text, str_of(expected)))
		fail_msg("message %llu: another note: %.*s", (unsigned long long)f->p->id, STR_ARG(text));
}

static void check_results(struct world *w, const struct promise *p, enum reach need, const struct journal_envelope *env)
{
	struct notes_found f = { p, 0, 0 };
	unsigned must = 0, may = 0; /* have a note */
	struct err e;

	for (uint32_t i = 0; i < p->nrecipients; i++) {
		bool done = journal_done(w->j, p->id, i);

		if (p->results[i].reach >= need && !done)
			fail_msg("message %llu: recipient %u is not done any more", (unsigned long long)p->id, i);
		if (p->results[i].reach == NEVER && done)
			fail_msg("message %llu: recipient %u is done", (unsigned long long)p->id, i);
		/* What was reported is over; what may have been is either. */
		if (!done || p->results[i].result == JOURNAL_DELIVERED || p->results[i].reported >= need)
			continue;
		may |= 1u << i;
		if (p->results[i].reported == NEVER)
			must |= 1u << i;
	}
	if (!journal_each_note(w->j, p->id, check_note, &f, &e))
		fail_msg("%s", e.text);
	assert_int_equal(f.seen & must, must);
	assert_int_equal(f.seen & ~may, 0);
	assert_int_equal(env->failed, f.failed != 0);
	assert_int_equal(env->reportable, (f.seen & ~f.failed) != 0);
	if (env->told_late ? p->late == NEVER : p->late >= need)
		fail_msg("message %llu: told late: %d", (unsigned long long)p->id, env->told_late);
}

static void check_body(struct world *w, const struct promise *p, struct str expected)
{
	int fd = journal_open_body(w->j, p->id);
	char *got = mem_alloc(expected.n + 1);

	if (fd == -1)
		fail_msg("message %llu: no body", (unsigned long long)p->id);
	assert_int_equal(file_read_at(fd, got, expected.n + 1, 0), expected.n);
	assert_memory_equal(got, expected.p, expected.n);
	file_close(fd);
	free(got);
}

static void answer_of(uint64_t tag, uint32_t recipient, char out[64])
{
	snprintf(out, 64, "Not yet: %llx %lx\n", (unsigned long long)tag, (unsigned long)recipient);
}

struct answers_found {
	const struct world *w;
	const struct promise *p;
	unsigned seen;
};

static void check_answer(void *ctx, uint32_t recipient, struct str text)
{
	struct answers_found *f = ctx;
	char expected[64];

	answer_of(f->p->tag, recipient, expected);
	assert_true(recipient < f->p->nrecipients);
	assert_false(journal_done(f->w->j, f->p->id, recipient));
	assert_false(f->seen >> recipient & 1);
	f->seen |= 1u << recipient;
	assert_true(str_eq(text, str_of(expected)));
}

/* The sender and the first recipient are one of those they may be. */
static void check_envelope(const struct promise *p, const struct journal_envelope *env)
{
	struct buf recipients = BUF_INIT(SIZE_MAX);
	bool sender_known = false, recipients_known = false;
	char sender[64];

	for (uint32_t i = p->sender_from; i <= p->sender_to; i++) {
		text_of(p->tag, SENDERS + i, sender);
		sender_known |= str_eq(env->sender, str_of(sender));
	}
	for (uint32_t i = p->address_from; i <= p->address_to; i++) {
		buf_clear(&recipients);
		add_recipients(&recipients, p->tag, p->nrecipients, i);
		recipients_known |= str_eq(env->recipients, buf_str(&recipients));
	}
	assert_true(sender_known);
	assert_true(recipients_known);
	buf_free(&recipients);
}

static void check_message(struct world *w, const struct promise *p, enum reach need)
{
	struct answers_found answers = { w, p, 0 };
	struct buf content = BUF_INIT(SIZE_MAX);
	struct journal_envelope env;
	struct err e;

	if (!journal_read_envelope(w->j, p->id, &env, &e))
		fail_msg("%s", e.text);
	add_content(&content, p->tag);
	check_envelope(p, &env);
	journal_each_answer(w->j, p->id, check_answer, &answers);
	assert_int_equal(env.nrecipients, p->nrecipients);
	assert_int_equal(env.birth, (int64_t)(p->tag >> 8));
	assert_int_equal(env.has_body, p->has_body);
	assert_int_equal(env.size, content.n);
	if (p->has_body)
		check_body(w, p, buf_str(&content));
	else
		assert_true(str_eq(env.content, buf_str(&content)));
	check_results(w, p, need, &env);
	buf_free(&env.storage);
	buf_free(&content);
}

struct checking {
	struct world *w;
	enum reach need;
	size_t found;
};

static void check_live(void *ctx, const struct journal_info *info)
{
	struct checking *c = ctx;
	const struct promise *p = promise_find(c->w, info->id);
	bool known = false;

	if (p == NULL)
		fail_msg("message %llu was never there", (unsigned long long)info->id);
	if (!may_exist(p, c->need))
		fail_msg("message %llu came back (message %d end %d revoked %d)", (unsigned long long)p->id, p->message,
			 p->end, p->revoked);
	for (int i = 0; i < p->ndues; i++)
		known |= p->dues[i] == info->due;
	if (!known)
		fail_msg("message %llu is due at %lld", (unsigned long long)p->id, (long long)info->due);
	c->found++;
}

/* Compares the open journal with the ledger; `need` says what must have survived. */
static void check_all(struct world *w, enum reach need)
{
	struct checking c = { w, need, 0 };
	uint64_t *ids = mem_array(NULL, w->n + 1, sizeof *ids);
	size_t n = 0;

	journal_each(w->j, check_live, &c);
	assert_int_equal(c.found, journal_count(w->j));
	for (size_t i = 0; i < w->n; i++) {
		struct promise *p = &w->promises[i];
		struct journal_envelope env;
		struct err e;

		if (journal_read_envelope(w->j, p->id, &env, &e)) {
			buf_free(&env.storage);
			check_message(w, p, need);
			n++;
		} else if (must_exist(p, need)) {
			fail_msg("acknowledged message %llu is gone: %s\n%s", (unsigned long long)p->id, e.text,
				 buf_cstr(&w->warnings));
		}
	}
	assert_int_equal(n, c.found);
	free(ids);
}

struct due_search {
	uint64_t id;
	int64_t due;
	bool found;
};

static void look_for_due(void *ctx, const struct journal_info *info)
{
	struct due_search *s = ctx;

	if (info->id != s->id)
		return;
	s->due = info->due;
	s->found = true;
}

static bool find_due(struct world *w, uint64_t id, int64_t *due)
{
	struct due_search s = { .id = id };

	journal_each(w->j, look_for_due, &s);
	*due = s.due;
	return s.found;
}

static void collect_note(void *ctx, uint32_t recipient, enum journal_result result, struct str text)
{
	(void)result;
	(void)text;
	*(unsigned *)ctx |= 1u << recipient;
}

static void adopt_reports(struct world *w, struct promise *p)
{
	struct journal_envelope env;
	unsigned noted = 0;
	struct err e;

	/* A disk that fails may do so here, once. */
	if ((!journal_each_note(w->j, p->id, collect_note, &noted, &e) &&
	     !journal_each_note(w->j, p->id, collect_note, &noted, &e)) ||
	    (!journal_read_envelope(w->j, p->id, &env, &e) && !journal_read_envelope(w->j, p->id, &env, &e)))
		fail_msg("%s", e.text);
	p->late = env.told_late ? DURABLE : NEVER;
	buf_free(&env.storage);
	for (uint32_t r = 0; r < p->nrecipients; r++)
		p->results[r].reported =
		    p->results[r].reach && p->results[r].result && !(noted >> r & 1) ? DURABLE : NEVER;
}

/* What recovery found is from now on what is known, and it is durable. */
static void adopt(struct world *w)
{
	size_t n = 0;

	for (size_t i = 0; i < w->n; i++) {
		struct promise p = w->promises[i];
		int64_t due;
		bool live = find_due(w, p.id, &due);

		/*
		 * The number of what was never acknowledged and is not there may be used again; but what was refused
		 * while recovery went on may be there after the next.
		 */
		if (!live && (p.message != DURABLE || p.refused) && p.end == NEVER && (p.earlier || !w->parts))
			continue;
		if (!live && p.refused && p.end == NEVER) {
			w->promises[n++] = p;
			continue;
		}
		if (live) {
			p.message = DURABLE;
			p.refused = false;
			p.end = p.revoked = NEVER;
			p.dues[0] = due;
			p.ndues = 1;
		} else {
			p.end = DURABLE;
		}
		for (uint32_t r = 0; live && r < p.nrecipients; r++)
			p.results[r].reach = journal_done(w->j, p.id, r) ? DURABLE : NEVER;
		if (live)
			adopt_reports(w, &p);
		w->promises[n++] = p;
	}
	w->n = n;
}

#endif

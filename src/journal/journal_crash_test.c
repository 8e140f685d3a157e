/*
 * Crashes the journal at every operation on its disk, keeps different parts
 * of what was not synced, and compares what recovery finds with a ledger of
 * what was promised.
 *
 * The work is a script that a seed makes: accepting in batches, results,
 * deferrals, changed envelopes, ends, compaction, restarts. In every other run
 * recovery goes in parts, and messages are accepted in between. CRASH_ROUNDS
 * scripts are run (each with a seed from CRASH_SEED on); CRASH_AT picks one operation of them,
 * CRASH_VERBOSE says before each run which it is.
 */
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

/* ---- the script -------------------------------------------------------------------------------- */

static void remember_warning(void *ctx, const char *text)
{
	struct world *w = ctx;

	buf_addz(&w->warnings, text);
	buf_addc(&w->warnings, '\n');
}

/* ---- zeros ahead of the records, as qmail-journal's thread writes them ---- */

#define AHEAD 5000

static void on_segment(void *ctx, int fd, uint64_t size)
{
	struct world *w = ctx;

	if (w->zeros != -1)
		file_close(w->zeros);
	w->zeros = fd;
	w->segment_size = size;
	w->zeroed = 0;
}

static void on_write(void *ctx, uint64_t end)
{
	static const char zeros[AHEAD];
	struct world *w = ctx;
	uint64_t n = w->segment_size - end < AHEAD ? w->segment_size - end : AHEAD;

	assert_true(w->zeros == -1 || end <= w->segment_size);
	if (w->zeros == -1 || end <= w->zeroed)
		return;
	file_write_at(w->zeros, zeros, (size_t)n, end);
	w->zeroed = end + n;
}

static void accept_meanwhile(struct world *w);

static bool world_open(struct world *w, struct err *e)
{
	struct journal_options o = { .segment_size = JOURNAL_SEGMENT_MIN,
				     .part = w->parts ? 6000 : 0,
				     .warn = remember_warning,
				     .on_segment = on_segment,
				     .on_write = on_write,
				     .ctx = w };

	w->root = file_open_dir(AT_FDCWD, "/");
	if (w->root == -1)
		return err_sys(e, errno, "unable to open the root");
	if (journal_open(w->root, &o, &w->j, e)) {
		w->recovering = true;
		for (size_t i = 0; i < w->n; i++)
			w->promises[i].earlier = true;
		while (journal_recover_part(w->j))
			accept_meanwhile(w);
		w->recovering = false;
		return true;
	}
	file_close(w->root);
	w->root = -1;
	return false;
}

static void world_close(struct world *w)
{
	if (w->j)
		journal_close(w->j);
	assert_int_equal(w->zeros, -1);
	if (w->root != -1)
		file_close(w->root);
	w->j = NULL;
	w->root = -1;
}

static void raise(enum reach *r, enum reach from, enum reach to)
{
	if (*r >= from && *r < to)
		*r = to;
}

/* A commit has succeeded: everything staged has reached `to`; refused messages are certain to be gone. */
static void all_reached(struct world *w, enum reach to)
{
	for (size_t i = 0; i < w->n; i++) {
		struct promise *p = &w->promises[i];

		/* What was written before the end of another process is none of this one's business yet. */
		if (w->recovering && p->earlier)
			continue;
		if (!p->refused)
			raise(&p->message, STAGED, to);
		raise(&p->end, STAGED, to);
		raise(&p->revoked, STAGED, to);
		for (uint32_t r = 0; r < p->nrecipients; r++)
			raise(&p->results[r].reach, STAGED, to), raise(&p->results[r].reported, STAGED, to);
		raise(&p->late, STAGED, to);
		for (int d = 0; d < p->ndues; d++)
			raise(&p->due_reach[d], STAGED, to);
		/* Of several, the last one that is durable is the earliest that can be found. */
		if (to == DURABLE) {
			p->dues[0] = p->dues[p->ndues - 1];
			p->ndues = 1;
		}
	}
}

static bool any_staged_message(const struct world *w)
{
	for (size_t i = 0; i < w->n; i++)
		if (w->promises[i].message == STAGED && !w->promises[i].refused &&
		    !(w->recovering && w->promises[i].earlier))
			return true;
	return false;
}

static void refuse_staged(struct world *w)
{
	for (size_t i = 0; i < w->n; i++)
		if (w->promises[i].message == STAGED && !w->promises[i].refused &&
		    !(w->recovering && w->promises[i].earlier)) {
			w->promises[i].refused = true;
			w->promises[i].revoked = STAGED;
		}
}

static void step_commit(struct world *w, bool sync)
{
	bool durable = sync || any_staged_message(w);
	struct err e;

	if (journal_commit(w->j, sync, &e))
		all_reached(w, durable ? DURABLE : WRITTEN);
	else
		refuse_staged(w);
}

static bool write_body(struct world *w, const struct promise *p, struct str content)
{
	int fd = journal_body_create(w->j, p->id);
	bool ok = fd != -1 && file_append(fd, content.p, content.n / 2) == 0 &&
		  file_append(fd, content.p + content.n / 2, content.n - content.n / 2) == 0 &&
		  journal_body_sync(w->j, fd) == 0;

	if (fd != -1)
		file_close(fd);
	if (fd != -1 && !ok)
		journal_body_discard(w->j, p->id);
	return ok;
}

/* Stages a message; one that could not be staged is not in the ledger. */
static void step_accept(struct world *w, uint64_t tag)
{
	struct buf recipients = BUF_INIT(SIZE_MAX), content = BUF_INIT(SIZE_MAX);
	struct promise p = { .id = journal_new_id(w->j), .tag = tag, .ndues = 1 };
	struct promise *known = promise_find(w, p.id);
	char sender[64];
	struct journal_message m;
	struct err e;

	/* What was never acknowledged, and is not there; adopt() has not been here yet. */
	if (known && w->recovering && (known->message != DURABLE || known->refused)) {
		*known = w->promises[--w->n];
		known = NULL;
	}
	/* After the power has gone nothing is learned any more. */
	if (known && !simdisk_crashed())
		fail_msg("number %llu is used again", (unsigned long long)p.id);
	p.nrecipients = (uint32_t)(tag % RECIPIENTS_MAX + 1);
	p.has_body = tag % 7 == 0;
	p.message = STAGED;
	text_of(tag, SENDERS, sender);
	add_recipients(&recipients, tag, p.nrecipients, 0);
	add_content(&content, tag);
	m = (struct journal_message){ .birth = (int64_t)(tag >> 8),
				      .sender = str_of(sender),
				      .recipients = buf_str(&recipients),
				      .nrecipients = p.nrecipients,
				      .head = p.has_body ? STR("") : str_head(buf_str(&content), 50),
				      .content = p.has_body ? STR("") : str_from(buf_str(&content), 50),
				      .has_body = p.has_body,
				      .body_size = content.n };
	if (!p.has_body || write_body(w, &p, buf_str(&content))) {
		if (journal_stage_message(w->j, p.id, &m, &e)) {
			w->promises = mem_array(w->promises, w->n + 1, sizeof *w->promises);
			w->promises[w->n++] = p;
		} else if (p.has_body) {
			journal_body_discard(w->j, p.id);
		}
	}
	buf_free(&recipients);
	buf_free(&content);
}

/* While recovery is still reading. */
static void accept_meanwhile(struct world *w)
{
	if (below(&w->chance, 3))
		return;
	for (uint32_t k = below(&w->chance, 3) + 1; k; k--)
		step_accept(w, chance_next(&w->chance));
	if (!simdisk_crashed())
		counts.meanwhile++;
	step_commit(w, below(&w->chance, 2));
}

/* A live, acknowledged message by chance, or NULL. */
static struct promise *pick(struct world *w)
{
	size_t n = 0;

	for (size_t i = 0; i < w->n; i++)
		n += w->promises[i].message >= WRITTEN && w->promises[i].end == NEVER && !w->promises[i].refused;
	if (n == 0)
		return NULL;
	n = below(&w->chance, (uint32_t)n);
	for (size_t i = 0;; i++)
		if (w->promises[i].message >= WRITTEN && w->promises[i].end == NEVER && !w->promises[i].refused &&
		    n-- == 0)
			return &w->promises[i];
}

static void step_result(struct world *w, struct promise *p)
{
	uint32_t r = below(&w->chance, p->nrecipients);
	enum journal_result result = (enum journal_result)below(&w->chance, 3);
	char note[64];

	if (p->results[r].reach != NEVER)
		return;
	note_of(p->tag, r, note);
	journal_stage_result(w->j, p->id, r, result, str_of(note));
	p->results[r] = (struct result){ STAGED, result, NEVER };
}

/* The sender is told about some of the results, or that the message is late. */
static void step_report(struct world *w, struct promise *p)
{
	uint32_t told[RECIPIENTS_MAX], n = 0;

	if (below(&w->chance, 4) == 0) {
		journal_stage_told_late(w->j, p->id);
		raise(&p->late, NEVER, STAGED);
		return;
	}
	for (uint32_t r = 0; r < p->nrecipients; r++)
		if (p->results[r].reach != NEVER && p->results[r].result != JOURNAL_DELIVERED && below(&w->chance, 2)) {
			told[n++] = r;
			raise(&p->results[r].reported, NEVER, STAGED);
		}
	journal_stage_reported(w->j, p->id, told, n);
}

static void step_defer(struct world *w, struct promise *p)
{
	int64_t due = below(&w->chance, 8) ? (int64_t)below(&w->chance, 1000000) + 1 : JOURNAL_HELD;
	uint32_t with_answers = below(&w->chance, 1u << p->nrecipients);
	struct buf answers = BUF_INIT(SIZE_MAX);
	char text[64];

	if (p->ndues == DUES_MAX)
		return;
	for (uint32_t r = 0; r < p->nrecipients; r++) {
		if (!(with_answers >> r & 1))
			continue;
		answer_of(p->tag, r, text);
		wire_put_u32(&answers, r);
		wire_put_str(&answers, str_of(text));
	}
	journal_stage_defer(w->j, p->id, due, buf_str(&answers));
	buf_free(&answers);
	p->dues[p->ndues] = due;
	p->due_reach[p->ndues++] = STAGED;
}

/* Another sender, or another first recipient, between two commits as qmail-journal does it. */
static void step_edit(struct world *w, struct promise *p)
{
	bool sender = p->results[0].reach != NEVER || below(&w->chance, 2);
	uint32_t *from = sender ? &p->sender_from : &p->address_from, *to = sender ? &p->sender_to : &p->address_to;
	char text[64];
	struct err e;

	step_commit(w, false);
	text_of(p->tag, (sender ? SENDERS : EDITIONS) + *to + 1, text);
	if (!journal_stage_edit(w->j, p->id, sender ? JOURNAL_SENDER : 0, str_of(text), &e))
		return;
	++*to;
	if (!journal_commit(w->j, true, &e))
		return;
	all_reached(w, DURABLE);
	*from = *to;
}

static void step_end(struct world *w, struct promise *p)
{
	journal_stage_end(w->j, p->id);
	p->end = STAGED;
}

/* Bounces the process: cleanly, or as kill -9 does. */
static bool step_restart(struct world *w)
{
	bool clean = below(&w->chance, 2) != 0;
	struct err e = { 0 };
	int tries = 0;

	if (clean) {
		step_commit(w, true);
		world_close(w);
	} else {
		simdisk_stop(true);
		world_close(w);
		simdisk_stop(false);
	}
	buf_clear(&w->warnings);
	while (!world_open(w, &e))
		if (simdisk_crashed() || ++tries == 3)
			return false;
	if (simdisk_crashed())
		return false;
	/* What could not be made durable may be lost with the next power cut: the script ends. */
	if (str_find(buf_str(&w->warnings), STR("unable to")) < w->warnings.n) {
		world_close(w);
		return false;
	}
	/* What reads the disk would meet the errors as well. */
	if (!w->errors)
		check_all(w, clean ? STAGED : WRITTEN);
	adopt(w);
	return true;
}

static void run_script(struct world *w, int steps)
{
	struct err e;

	if (!world_open(w, &e))
		return;
	for (int i = 0; i < steps && w->j; i++) {
		uint32_t what = below(&w->chance, 100);
		struct promise *p = pick(w);
		uint64_t tag = chance_next(&w->chance);

		if (what < 25) {
			for (uint64_t k = tag % 4 + 1; k; k--)
				step_accept(w, chance_next(&w->chance));
			step_commit(w, false);
		} else if (what < 42 && p) {
			step_result(w, p);
			if (what % 2)
				step_report(w, p);
		} else if (what < 45 && p) {
			step_report(w, p);
		} else if (what < 51 && p) {
			step_defer(w, p);
		} else if (what < 53 && p) {
			step_edit(w, p);
		} else if (what < 72 && p) {
			for (int k = steps > 100 ? 4 : 1; k && p; k--) {
				step_end(w, p);
				p = pick(w);
			}
		} else if (what < 80) {
			step_commit(w, what < 76);
		} else if (what < 97) {
			journal_maintain(w->j);
		} else if (!step_restart(w)) {
			break;
		}
		if (simdisk_crashed())
			break;
	}
}

static void world_free(struct world *w)
{
	world_close(w);
	free(w->promises);
	buf_free(&w->warnings);
}

static struct world world_new(uint64_t seed)
{
	return (struct world){ .chance = { seed }, .root = -1, .zeros = -1, .warnings = BUF_INIT(1 << 20) };
}

/* ---- after the power is back ----------------------------------------------------------------------- */

static void must_open(struct world *w)
{
	struct err e;

	buf_clear(&w->warnings);
	if (!world_open(w, &e))
		fail_msg("the journal does not open: %s", e.text);
}

static bool count_name(void *ctx, const char *name)
{
	(void)name;
	++*(size_t *)ctx;
	return true;
}

static size_t count_files(const char *dir)
{
	int fd = file_open_dir(AT_FDCWD, dir);
	size_t n = 0;

	if (fd == -1)
		return 0;
	file_list(fd, count_name, &n);
	file_close(fd);
	return n;
}

/* The journal goes on working: it takes mail, and when all has ended it has given everything back. */
static void must_go_on(struct world *w)
{
	size_t before = w->n;

	for (int i = 0; i < 3; i++)
		step_accept(w, chance_next(&w->chance));
	step_commit(w, false);
	assert_int_equal(w->n, before + 3);
	assert_int_equal(w->promises[before].message, DURABLE);
	check_all(w, WRITTEN);
	for (size_t i = 0; i < w->n; i++)
		if (w->promises[i].end == NEVER && !w->promises[i].refused)
			step_end(w, &w->promises[i]);
	step_commit(w, true);
	assert_int_equal(journal_count(w->j), 0);
	journal_maintain(w->j);
	world_close(w);
	w->parts = false;
	must_open(w);
	assert_int_equal(journal_count(w->j), 0);
	assert_int_equal(count_files("body"), 0);
	assert_true(count_files("journal") <= 3);
	world_close(w);
	assert_int_equal(simdisk_open_count(), 0);
}

static void copy_ledger(struct world *to, const struct world *from)
{
	*to = world_new(from->chance.state);
	to->parts = from->parts;
	to->n = from->n;
	to->promises = mem_array(NULL, from->n + 1, sizeof *to->promises);
	if (from->n)
		memcpy(to->promises, from->promises, from->n * sizeof *to->promises);
}

/* A power cut damages nothing; that a write was cut off is no damage. */
static void check_no_damage(struct world *w)
{
	struct journal_stats s;

	journal_stats(w->j, &s);
	if (s.corrupt)
		fail_msg("damage is reported:\n%s", buf_cstr(&w->warnings));
}

/* Which run it is, for messages. */
static void note_run(const char *what, uint64_t seed, uint64_t n, size_t detail)
{
	if (getenv("CRASH_VERBOSE"))
		print_message("%s CRASH_SEED=%llu CRASH_AT=%llu %zu\n", what, (unsigned long long)seed,
			      (unsigned long long)n, detail);
}

/* The disk has just been booted: recover, check, recover again, go on. */
static void check_boot(const struct world *ledger, uint64_t seed)
{
	struct world w;

	copy_ledger(&w, ledger);
	must_open(&w);
	check_all(&w, DURABLE);
	check_no_damage(&w);
	adopt(&w);
	check_all(&w, WRITTEN);
	world_close(&w);
	/* What was recovered once has been found for good. */
	simdisk_boot(SIMDISK_KEEP_SOME, seed);
	must_open(&w);
	check_all(&w, WRITTEN);
	check_no_damage(&w);
	must_go_on(&w);
	world_free(&w);
	counts.boots++;
}

/* Crashes the recovery itself at every operation. */
static void check_crash_in_recovery(const struct world *ledger, struct simdisk_image *image, enum simdisk_keep keep,
				    uint64_t seed)
{
	for (uint64_t n = 1;; n++) {
		struct world w;
		struct err e;
		bool crashed;

		simdisk_restore(image);
		simdisk_boot(keep, seed);
		simdisk_crash_at(n);
		copy_ledger(&w, ledger);
		if (world_open(&w, &e) && !simdisk_crashed())
			journal_maintain(w.j);
		crashed = simdisk_crashed();
		world_close(&w);
		if (!crashed) {
			world_free(&w);
			return;
		}
		counts.crashes++;
		simdisk_boot(n % 3 == 0   ? SIMDISK_KEEP_NONE
			     : n % 3 == 1 ? SIMDISK_KEEP_ALL
					  : SIMDISK_KEEP_SOME,
			     seed + n);
		/* With what was accepted meanwhile. */
		check_boot(&w, seed + n);
		world_free(&w);
	}
}

static uint64_t from_env(const char *name, uint64_t otherwise)
{
	uint64_t v = otherwise;
	const char *z = getenv(name);

	if (z)
		str_to_u64(str_of(z), &v);
	return v;
}

/* Every other script is long enough to fill segments and to compact them. */
static int steps_of(uint64_t seed)
{
	return seed % 2 ? 60 : 160;
}

static const struct {
	enum simdisk_keep keep;
	uint64_t seed;
} WAYS[] = {
	{ SIMDISK_KEEP_NONE, 0 }, { SIMDISK_KEEP_ALL, 0 },  { SIMDISK_KEEP_SOME, 1 },
	{ SIMDISK_KEEP_SOME, 2 }, { SIMDISK_KEEP_SOME, 3 },
};

#define NWAYS (sizeof WAYS / sizeof *WAYS)

/* Runs the script with a power cut at operation n; false when it ended before. */
static bool crash_once(uint64_t seed, uint64_t n)
{
	struct world w = world_new(seed);
	struct simdisk_image *image;
	bool crashed;

	w.parts = (seed + n) % 2;
	note_run("crash", seed, n, 0);
	simdisk_format();
	simdisk_crash_at(n);
	run_script(&w, steps_of(seed));
	world_close(&w);
	crashed = simdisk_crashed();
	image = simdisk_save();
	counts.runs++;
	counts.crashes += crashed;
	for (size_t i = 0; i < NWAYS; i++) {
		simdisk_restore(image);
		simdisk_boot(WAYS[i].keep, WAYS[i].seed + n);
		check_boot(&w, seed + n);
		if (n % 16 == i)
			check_crash_in_recovery(&w, image, WAYS[i].keep, WAYS[i].seed + n);
	}
	simdisk_image_free(image);
	world_free(&w);
	return crashed;
}

static void acknowledged_mail_survives_every_crash(void **state)
{
	uint64_t first = from_env("CRASH_SEED", 1), rounds = from_env("CRASH_ROUNDS", 3);
	uint64_t only = from_env("CRASH_AT", 0);

	(void)state;
	for (uint64_t seed = first; seed < first + rounds; seed++)
		for (uint64_t n = only ? only : 1; crash_once(seed, n) && !only; n++)
			;
	print_message("CRASH_SEED=%llu CRASH_ROUNDS=%llu: %lu scripts run, %lu crashes, %lu recoveries compared, %lu "
		      "batches while they went on\n",
		      (unsigned long long)first, (unsigned long long)rounds, counts.runs, counts.crashes, counts.boots,
		      counts.meanwhile);
	assert_true(only || counts.meanwhile);
}

/* ---- errors of the disk ------------------------------------------------------------------------------- */

/* Runs the script with failing calls from operation n on; false when none failed. */
static bool fail_once(uint64_t seed, unsigned kinds, uint64_t n, uint64_t times, int errnum)
{
	struct world w = world_new(seed);
	struct simdisk_image *image;
	uint64_t operations;

	w.errors = true;
	w.parts = n % 2;
	note_run("fail", seed, n, kinds);
	simdisk_format();
	simdisk_fail(kinds, n, times, errnum);
	run_script(&w, steps_of(seed));
	operations = simdisk_operations();
	simdisk_fail(0, 0, 0, 0);
	if (w.j)
		check_all(&w, STAGED);
	simdisk_crash_at(1);
	world_close(&w);
	image = simdisk_save();
	counts.faults++;
	for (size_t i = 0; i < NWAYS; i++) {
		simdisk_restore(image);
		simdisk_boot(WAYS[i].keep, WAYS[i].seed + n);
		check_boot(&w, seed + n);
	}
	simdisk_image_free(image);
	world_free(&w);
	return n <= operations + 50;
}

static void no_error_of_the_disk_becomes_a_promise(void **state)
{
	static const struct {
		unsigned kinds;
		uint64_t times;
		int errnum;
	} faults[] = {
		{ SIMDISK_SYNC, 1, EIO },
		{ SIMDISK_WRITE, 1, EIO },
		{ SIMDISK_ANY & ~(unsigned)SIMDISK_READ, 1, EIO },
		{ SIMDISK_WRITE | SIMDISK_CREATE | SIMDISK_RESERVE, 40, ENOSPC },
		{ SIMDISK_READ, 1, EIO },
		{ SIMDISK_SYNC | SIMDISK_SYNC_DIR, UINT64_MAX, EIO },
	};
	uint64_t first = from_env("CRASH_SEED", 1), rounds = from_env("CRASH_ROUNDS", 3);
	uint64_t only = from_env("CRASH_AT", 0), which = from_env("CRASH_FAULT", UINT64_MAX);

	(void)state;
	for (uint64_t seed = first; seed < first + (rounds + 3) / 4; seed++)
		for (size_t f = 0; f < sizeof faults / sizeof *faults; f++)
			for (uint64_t n = only ? only : 1; which == UINT64_MAX || which == f; n++)
				if (!fail_once(seed, faults[f].kinds, n, faults[f].times, faults[f].errnum) || only)
					break;
	print_message("CRASH_SEED=%llu: %lu scripts run with errors of the disk\n", (unsigned long long)first,
		      counts.faults);
}

static int release(void **state)
{
	(void)state;
	simdisk_free();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(acknowledged_mail_survives_every_crash, release),
		cmocka_unit_test_teardown(no_error_of_the_disk_becomes_a_promise, release),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

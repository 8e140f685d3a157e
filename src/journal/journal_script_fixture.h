/*
 * journal_script_fixture: work for the journal, made by a seed, and written
 * down in the ledger. For the crash tests.
 */
#ifndef JOURNAL_JOURNAL_SCRIPT_FIXTURE_H
#define JOURNAL_JOURNAL_SCRIPT_FIXTURE_H

#include "journal/journal_ledger_fixture.h"

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

#endif

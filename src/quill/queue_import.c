/*
 * queue_import: quill queue import: a queue in qmail's classic layout becomes
 * part of ours.
 *
 * Each message enters our queue held and marked with where it came from;
 * then it is written down in the other queue's directory as done; then it is
 * released. Cut off anywhere and repeated, no message is lost, since nothing
 * is taken away there, and none is doubled, since one that is not written
 * down cannot have left our queue.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/mem.h"
#include "classicqueue/classicform.h"
#include "classicqueue/classicread.h"
#include "classicqueue/progress.h"
#include "quill/queue_arguments.h"
#include "quill/quill.h"
#include "submit/submit.h"
#include "sys/file.h"

#define PROGRESS_FILE "imported-by-quill"
#define BATCH 10000 /* while our system is down, each begins with reading the whole queue */
#define TURNS 16    /* more than a full socket takes to be read */

struct import {
	int dir, lock;
	struct progress progress;
	struct route_tables routes;
	struct submit submit;
	struct progress_pair batch[BATCH]; /* number and stamp of what is in our queue and not written down */
	uint64_t ids[BATCH];               /* their numbers there */
	size_t nbatch;
	size_t taken, before, unfinished, finished, troubles;
};

static void trouble(struct import *im, uint64_t number, const char *text)
{
	fprintf(stderr, "quill: message %llu: %s\n", (unsigned long long)number, text);
	im->troubles++;
}

/* ---- what is in our queue already ----------------------------------------------------------- */

static void not_released(void *ctx, uint64_t id, enum order_status status, struct str text)
{
	(void)ctx;
	/* Released before is as good. */
	if (status == ORDER_FAILED)
		fprintf(stderr, "quill: message %llu is held: %.*s\n", (unsigned long long)id, STR_ARG(text));
}

/* What the batch holds is safe in our queue: writes that down, and lets it go. */
static bool end_batch(struct import *im, struct err *e)
{
	struct queue_orders o = { .order = ORDER_RELEASE, .ids = im->ids, .n = im->nbatch, .told = not_released };

	if (im->nbatch == 0)
		return true;
	if (!progress_add(&im->progress, im->batch, im->nbatch, e))
		return false;
	im->nbatch = 0;
	/* While our system is down, each of the two needs the queue for itself. */
	submit_close(&im->submit);
	im->submit = SUBMIT_INIT;
	return queue_give_orders(&o, e);
}

static bool add_to_batch(struct import *im, struct progress_pair what, uint64_t id, struct err *e)
{
	im->ids[im->nbatch] = id;
	im->batch[im->nbatch++] = what;
	return im->nbatch < BATCH || end_batch(im, e);
}

struct left_over {
	struct import *im;
	struct progress_pair *items; /* of an earlier, interrupted import */
	uint64_t *ids;
	size_t n;
};

static bool see_ours(void *ctx, const struct queue_message *m)
{
	struct left_over *l = ctx;
	struct str id, rest, number, stamp, mark = queue_attribute(m->attributes, ATTR_IMPORTED);
	struct progress_pair what = { .done = true };

	if (!queue_message_held(m) || !str_cut(mark, ' ', &id, &rest) || !str_eq(id, str_of(l->im->progress.id)) ||
	    !str_cut(rest, ' ', &number, &stamp) || !str_to_u64(number, &what.a) || !str_to_u64(stamp, &what.b))
		return true;
	if ((l->n & (l->n - 1)) == 0) {
		l->items = mem_array(l->items, 2 * l->n + 1, sizeof *l->items);
		l->ids = mem_array(l->ids, 2 * l->n + 1, sizeof *l->ids);
	}
	l->ids[l->n] = m->id;
	l->items[l->n++] = what;
	return true;
}

/*
 * What an import that was killed had sent may still lie in the journal's sockets: each answer comes a turn of its
 * loop later.
 */
static void let_the_journal_turn(void)
{
	struct queue_figures ignored;
	struct err e;

	for (int i = 0; i < TURNS && queuequery_figures(&ignored, &e); i++)
		;
}

static bool finish_earlier(struct import *im, struct err *e)
{
	struct left_over l = { .im = im };
	bool ok;

	let_the_journal_turn();
	ok = queue_each(0, see_ours, &l, e);

	for (size_t i = 0; ok && i < l.n; i++)
		ok = add_to_batch(im, l.items[i], l.ids[i], e);
	free(l.items);
	free(l.ids);
	return ok && end_batch(im, e);
}

/* ---- addresses -------------------------------------------------------------------------------- */

/*
 * The classic queue has local recipients as they are delivered, with what
 * virtualdomains put in front. *out gets the address from which our control
 * files make the same; false: none.
 */
static bool before_routing(const struct route_tables *t, const struct classic_recipient *r, struct buf *out)
{
	struct buf routed = BUF_INIT(SIZE_MAX);
	size_t at = str_rchr(r->address, '@');
	bool found = false;

	for (size_t from = 0; !found && from < at; from++) {
		struct str candidate = str_from(r->address, from);
		enum route_channel channel;

		if (from && r->address.p[from - 1] != '-')
			continue;
		channel = route_address(t, candidate, &routed).channel;
		found = str_eq(buf_str(&routed), r->address) && (channel == ROUTE_LOCAL) == r->local;
		if (found) {
			buf_clear(out);
			buf_add(out, candidate);
		}
	}
	buf_free(&routed);
	return found;
}

static void address_of(struct import *im, const struct classic_message *m, const struct classic_recipient *r,
		       struct buf *out)
{
	char text[300];

	buf_clear(out);
	buf_add(out, r->address);
	/* In todo they are as they were given. */
	if ((!r->local && !r->remote) || r->done || before_routing(&im->routes, r, out))
		return;
	snprintf(text, sizeof text, "warning: control/ no longer makes %.*s %s", STR_ARG(str_head(r->address, 200)),
		 r->local ? "local" : "remote");
	fprintf(stderr, "quill: message %llu: %s\n", (unsigned long long)m->number, text);
}

/* ---- failures ------------------------------------------------------------------------------------ */

struct failure {
	struct str address, text;
	bool used;
};

struct failures {
	struct failure *items;
	size_t n;
};

static void take_failure(void *ctx, struct str address, struct str text)
{
	struct failures *f = ctx;

	f->items = mem_array(f->items, f->n + 1, sizeof *f->items);
	f->items[f->n++] = (struct failure){ address, text, false };
}

/* The failure of a recipient: its address stands there without what virtualdomains put in front. */
static struct failure *failure_of(const struct failures *f, struct str delivered, struct str given)
{
	for (size_t i = 0; i < f->n; i++)
		if (!f->items[i].used && (str_eq(f->items[i].address, given) || str_eq(f->items[i].address, delivered)))
			return &f->items[i];
	return NULL;
}

static void submit_recipients(struct import *im, const struct classic_message *m)
{
	struct failures failures = { 0 };
	struct buf address = BUF_INIT(SIZE_MAX);

	classic_bounce(m->bounce, take_failure, &failures);
	for (uint32_t i = 0; i < m->nrecipients; i++) {
		const struct classic_recipient *r = &m->recipients[i];
		struct failure *failure;

		address_of(im, m, r, &address);
		if (r->done && r->local)
			before_routing(&im->routes, r, &address);
		submit_recipient(&im->submit, buf_str(&address));
		if (!r->done)
			continue;
		failure = failure_of(&failures, r->address, buf_str(&address));
		submit_done(&im->submit, failure != NULL, failure ? failure->text : STR(""));
		if (failure)
			failure->used = true;
	}
	/* Failures of whom the files do not name any more: where all of a channel are done, its file is gone. */
	for (size_t i = 0; i < failures.n; i++) {
		if (failures.items[i].used)
			continue;
		submit_recipient(&im->submit,
				 failures.items[i].address.n ? failures.items[i].address : STR("(unknown)"));
		submit_done(&im->submit, true, failures.items[i].text);
	}
	free(failures.items);
	buf_free(&address);
}

/* ---- messages -------------------------------------------------------------------------------------- */

static bool submit_content(struct import *im, int content)
{
	static char chunk[65536];
	uint64_t at = 0;
	ssize_t n;

	while ((n = file_read_at(content, chunk, sizeof chunk, at)) > 0) {
		submit_data(&im->submit, (struct str){ chunk, (size_t)n });
		at += (uint64_t)n;
	}
	return n == 0;
}

static bool take_over(struct import *im, const struct classic_message *m, uint64_t *id, struct err *e)
{
	struct submit_result r;
	char mark[64];

	if (!submit_begin(&im->submit, false, e))
		return false;
	snprintf(mark, sizeof mark, "%s %llu %llu", im->progress.id, (unsigned long long)m->number,
		 (unsigned long long)m->stamp);
	submit_past(&im->submit, m->birth, (int64_t)QUEUE_HELD, m->uid, m->pid);
	submit_attribute(&im->submit, ATTR_IMPORTED, str_of(mark));
	submit_sender(&im->submit, m->sender);
	submit_recipients(im, m);
	if (!submit_content(im, m->content)) {
		submit_cancel(&im->submit);
		return err_temp(e, "its content cannot be read");
	}
	if (!submit_commit(&im->submit, &r))
		return err_temp(e, "our queue does not take it: %s (%d)", r.text, r.status);
	*id = r.message;
	return true;
}

static bool import_one(struct import *im, uint64_t number, struct err *e)
{
	const struct progress_pair *known = progress_find(&im->progress, number);
	struct classic_message m;
	enum classic_found found;
	struct err one;
	struct progress_pair what = { .a = number, .done = true };
	uint64_t id = 0;
	bool ok;

	if (!classic_read(im->dir, number, &m, &found, &one)) {
		trouble(im, number, one.text);
		return true;
	}
	im->unfinished += found == CLASSIC_UNFINISHED;
	im->finished += found == CLASSIC_FINISHED;
	if (found != CLASSIC_MESSAGE)
		return true;
	what.b = m.stamp;
	if (known && known->b == m.stamp) {
		im->before++;
		classic_message_free(&m);
		return true;
	}
	ok = take_over(im, &m, &id, &one);
	classic_message_free(&m);
	if (!ok) {
		trouble(im, number, one.text);
		return true;
	}
	im->taken++;
	return add_to_batch(im, what, id, e);
}

static bool import_all(struct import *im, struct err *e)
{
	uint64_t *numbers;
	size_t n;
	bool ok;

	if (!finish_earlier(im, e) || !classic_numbers(im->dir, &numbers, &n, e))
		return false;
	ok = true;
	for (size_t i = 0; ok && i < n; i++)
		ok = import_one(im, numbers[i], e);
	free(numbers);
	return ok && end_batch(im, e);
}

int quill_queue_import(int argc, char **argv)
{
	static struct import im = { .submit = SUBMIT_INIT }; /* large */
	struct queue_arguments a;
	struct err e;
	bool ok;

	if (!queue_arguments_read(&a, argc, argv, 1))
		return 100;
	if (a.nwords != 1)
		return quill_fail(100,
				  "queue import: which directory? Give the one that has mess, info, local, remote …");
	if (!route_load(&im.routes, &e) || !classic_open(a.words[0], &im.dir, &im.lock, &e) ||
	    !progress_open(&im.progress, im.dir, PROGRESS_FILE, &e))
		return quill_fail(err_exit_code(&e), "queue import: %s", e.text);
	ok = import_all(&im, &e);
	submit_close(&im.submit);
	printf("%zu messages imported, %zu had been before\n", im.taken, im.before);
	if (im.unfinished)
		printf("%zu were never accepted, and are left\n", im.unfinished);
	if (im.troubles)
		printf("%zu could not be imported, and are left\n", im.troubles);
	progress_close(&im.progress);
	route_free(&im.routes);
	queue_arguments_free(&a);
	if (!ok)
		return quill_fail(111, "queue import: %s; repeat it to go on", e.text);
	return im.troubles ? 1 : 0;
}

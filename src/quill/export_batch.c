#include "quill/export_batch.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "classicqueue/classicform.h"
#include "sys/file.h"

#define BUSY_TRIES 50
#define BUSY_WAIT 100000           /* microseconds */
#define TOGETHER_BYTES (64u << 20) /* of envelopes in memory */

struct batch {
	struct export *x;
	struct export_item *items;
	size_t n;
	/* Of the orders at work: */
	enum queue_order order;
	size_t busy;
	/* Of the message at work: */
	struct copied *copy;
	bool ok;
	struct err e; /* why not ok */
};

static void failed(struct batch *b, struct export_item *item, const char *text)
{
	fprintf(stderr, "quill: message %llu: %s\n", (unsigned long long)item->id, text);
	item->state = EXPORT_FAILED;
	b->x->troubles++;
}

/* ---- orders -------------------------------------------------------------------------------------- */

static int by_id(const void *key, const void *item)
{
	uint64_t a = *(const uint64_t *)key, b = ((const struct export_item *)item)->id;

	return a < b ? -1 : a > b;
}

static void told(void *ctx, uint64_t id, enum order_status status, struct str text)
{
	struct batch *b = ctx;
	struct export_item *item = bsearch(&id, b->items, b->n, sizeof *b->items, by_id);

	if (b->order == ORDER_REQUEUE && status == ORDER_BUSY)
		b->busy++;
	else if (b->order == ORDER_REQUEUE && status == ORDER_OK)
		item->state = EXPORT_HELD;
	else if ((b->order == ORDER_HOLD || b->order == ORDER_REQUEUE) && status != ORDER_OK)
		failed(b, item, "it is no longer in the queue");
	else if (b->order == ORDER_REMOVE && status == ORDER_FAILED)
		fprintf(stderr, "quill: message %llu is exported and could not be removed: %.*s\n",
			(unsigned long long)id, STR_ARG(text));
}

/* The order for all in that state. */
static bool give_orders(struct batch *b, enum queue_order order, enum export_state state, struct err *e)
{
	uint64_t *ids = mem_array(NULL, b->n, sizeof *ids);
	struct queue_orders o = { .order = order, .ids = ids, .told = told, .ctx = b };
	bool ok;

	b->order = order;
	b->busy = 0;
	for (size_t i = 0; i < b->n; i++)
		if (b->items[i].state == state)
			ids[o.n++] = b->items[i].id;
	ok = o.n == 0 || queue_give_orders(&o, e);
	free(ids);
	return ok;
}

/* Lets those go that were not held before. */
static bool let_go(struct batch *b, enum export_state state, struct err *e)
{
	for (size_t i = 0; i < b->n; i++)
		if (b->items[i].state == state && b->items[i].was_held)
			b->items[i].state = EXPORT_FAILED;
	return give_orders(b, ORDER_RELEASE, state, e);
}

/* Held, and no delivery of them runs: while one does a message cannot be routed again. */
static bool hold(struct batch *b, struct err *e)
{
	if (!give_orders(b, ORDER_HOLD, EXPORT_WANTED, e))
		return false;
	for (int i = 0; i < BUSY_TRIES; i++) {
		if (!give_orders(b, ORDER_REQUEUE, EXPORT_WANTED, e))
			return false;
		if (b->busy == 0)
			return true;
		usleep(BUSY_WAIT);
	}
	if (!let_go(b, EXPORT_WANTED, e))
		return false;
	for (size_t i = 0; i < b->n; i++)
		if (b->items[i].state == EXPORT_WANTED)
			failed(b, &b->items[i], "a delivery of it runs; export it later");
	return true;
}

/* ---- copying ------------------------------------------------------------------------------------- */

struct copied {
	struct export_item *item;
	uint64_t number;
	int64_t birth;
	struct buf info, local, remote, bounce;
};

static void copied_free(struct copied *c)
{
	buf_free(&c->info);
	buf_free(&c->local);
	buf_free(&c->remote);
	buf_free(&c->bounce);
}

static size_t copied_bytes(const struct copied *c)
{
	return sizeof *c + c->info.n + c->local.n + c->remote.n + c->bounce.n;
}

static void fill(struct copied *c, const struct route_tables *routes, const struct queue_message *m)
{
	struct buf deliver = BUF_INIT(SIZE_MAX), given = BUF_INIT(SIZE_MAX);

	c->birth = m->birth;
	classic_put_info(&c->info, m->sender);
	for (uint32_t i = 0; i < m->nrecipients; i++) {
		const struct queue_recipient *r = &m->recipients[i];
		struct route route = route_address(routes, r->address, &deliver);

		classic_put_recipient(route.channel == ROUTE_LOCAL ? &c->local : &c->remote, buf_str(&deliver),
				      r->done);
		if (r->letter != 'D')
			continue;
		route_base_address(routes, r->address, &given);
		classic_put_bounce(&c->bounce, buf_str(&given), r->answer);
	}
	buf_free(&deliver);
	buf_free(&given);
}

static bool copy_bytes(int from, int to)
{
	static char chunk[65536];
	uint64_t at = 0;
	ssize_t n;

	while ((n = file_read_at(from, chunk, sizeof chunk, at)) > 0) {
		if (file_append(to, chunk, (size_t)n) == -1)
			return false;
		at += (uint64_t)n;
	}
	return n == 0;
}

static void copy_message(void *ctx, const struct queue_message *m, int content)
{
	struct batch *b = ctx;
	size_t slot = (size_t)(b->copy->item - b->items);
	int fd;

	b->ok = classic_out_content(&b->x->out, slot, &fd, &b->copy->number, &b->e);
	if (!b->ok)
		return;
	if (copy_bytes(content, fd)) {
		b->ok = classic_out_content_end(&b->x->out, fd, &b->e);
		fill(b->copy, &b->x->routes, m);
		return;
	}
	file_close(fd);
	b->ok = err_temp(&b->e, "its content cannot be copied");
}

/* Copies held messages from *at on, as far as memory allows: their number; *at is behind the last. */
static size_t copy_some(struct batch *b, int fd, size_t *at, struct copied *copies)
{
	size_t n = 0, bytes = 0;

	for (; *at < b->n && bytes < TOGETHER_BYTES; ++*at) {
		struct copied *c = &copies[n];

		if (b->items[*at].state != EXPORT_HELD)
			continue;
		*c = (struct copied){ .item = &b->items[*at],
				      .info = BUF_INIT(SIZE_MAX),
				      .local = BUF_INIT(SIZE_MAX),
				      .remote = BUF_INIT(SIZE_MAX),
				      .bounce = BUF_INIT(SIZE_MAX) };
		b->copy = c;
		if (queue_with(fd, c->item->id, copy_message, b, &b->e) && b->ok) {
			bytes += copied_bytes(c);
			n++;
			continue;
		}
		failed(b, c->item, b->e.text);
		copied_free(c);
	}
	return n;
}

/* ---- writing them down --------------------------------------------------------------------------- */

static bool write_down(struct export *x, const struct copied *copies, size_t n, bool done, struct err *e)
{
	struct progress_pair *pairs = mem_array(NULL, n + 1, sizeof *pairs);
	bool ok;

	for (size_t i = 0; i < n; i++)
		pairs[i] = (struct progress_pair){ copies[i].item->key, copies[i].number, done };
	ok = progress_add(&x->progress, pairs, n, e);
	free(pairs);
	return ok;
}

static bool place_hidden(struct batch *b, const struct copied *c, struct err *e)
{
	struct classic_out *o = &b->x->out;
	int64_t now = b->x->now;

	return classic_out_place(o, (size_t)(c->item - b->items), c->number, e) &&
	       classic_out_file(o, "local", c->number, buf_str(&c->local), now, e) &&
	       classic_out_file(o, "remote", c->number, buf_str(&c->remote), now, e) &&
	       classic_out_file(o, "bounce", c->number, buf_str(&c->bounce), now, e);
}

static bool place(struct batch *b, struct copied *copies, size_t n, struct err *e)
{
	struct classic_out *o = &b->x->out;

	/* Their numbers have to be written down before they can be seen. */
	if (!write_down(b->x, copies, n, false, e))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!place_hidden(b, &copies[i], e))
			return false;
	if (!classic_out_sync(o, e))
		return false;
	for (size_t i = 0; i < n; i++) {
		copies[i].item->state = EXPORT_SEEN;
		if (!classic_out_file(o, "info", copies[i].number, buf_str(&copies[i].info), copies[i].birth, e))
			return false;
	}
	if (!classic_out_sync(o, e) || !write_down(b->x, copies, n, true, e))
		return false;
	for (size_t i = 0; i < n; i++)
		copies[i].item->state = EXPORT_COPIED;
	b->x->written += n;
	return true;
}

static bool copy_all(struct batch *b, struct err *e)
{
	struct copied *copies = mem_array(NULL, b->n, sizeof *copies);
	size_t at = 0, n;
	int fd = -1;
	bool ok = queuequery_connect(&fd, e);

	while (ok && at < b->n) {
		n = copy_some(b, fd, &at, copies);
		ok = place(b, copies, n, e);
		for (size_t i = 0; i < n; i++)
			copied_free(&copies[i]);
	}
	if (fd != -1)
		close(fd);
	free(copies);
	return ok;
}

/* ---- what an earlier export has done --------------------------------------------------------------- */

/* Whole copies count; what may be half there is removed. */
static bool look_back(struct batch *b, struct err *e)
{
	struct classic_out *o = &b->x->out;
	size_t half = 0;

	for (size_t i = 0; i < b->n; i++) {
		const struct progress_pair *known = progress_find(&b->x->progress, b->items[i].key);

		if (known && known->done) {
			b->items[i].state = EXPORT_COPIED;
			b->x->before++;
		} else if (known) {
			half++;
			if (!classic_out_hide(o, known->b, e))
				return false;
		}
	}
	if (half && !classic_out_sync(o, e))
		return false;
	for (size_t i = 0; half && i < b->n; i++) {
		const struct progress_pair *known = progress_find(&b->x->progress, b->items[i].key);

		if (known && !known->done && !classic_out_remove(o, known->b, e))
			return false;
	}
	return true;
}

bool export_batch(struct export *x, struct export_item *items, size_t n, struct err *e)
{
	struct batch b = { .x = x, .items = items, .n = n };
	struct err ignored;

	if (!look_back(&b, e) || !hold(&b, e))
		return false;
	if (!copy_all(&b, e)) {
		let_go(&b, EXPORT_HELD, &ignored);
		return false;
	}
	return !x->remove || give_orders(&b, ORDER_REMOVE, EXPORT_COPIED, e);
}

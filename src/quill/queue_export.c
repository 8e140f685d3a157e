/*
 * queue_export: quill queue export: messages of our queue become a queue in
 * qmail's classic layout.
 *
 * Each message is held first, so that it does not change while it is copied
 * nor leave while its copy may be delivered; it stays held, or is removed
 * with --remove once its copy is durable. What is being written is written
 * down before, and removed there when the export is repeated.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/mem.h"
#include "classicqueue/classicform.h"
#include "classicqueue/classicwrite.h"
#include "classicqueue/progress.h"
#include "quill/queue_arguments.h"
#include "quill/quill.h"
#include "sys/accounts.h"
#include "sys/clock.h"
#include "sys/file.h"

#define PROGRESS_FILE "exported-by-quill"
#define BUSY_TRIES 50
#define BUSY_WAIT 100000 /* microseconds */

struct export
{
	struct classic_out out;
	struct progress progress;
	struct route_tables routes;
	const struct queue_arguments *a;
	int64_t now;
	struct chosen {
		uint64_t id, key;
	} * items;
	size_t n;
	size_t written, before, troubles;
	/* Of the message at work: */
	enum order_status status;
	bool ok;
	struct err *e;
};

/* What it is written down as: not by its number alone, which a message of another queue may have as well. */
static uint64_t key_of(const struct queue_message *m)
{
	return hash_u64(m->id ^ hash_u64((uint64_t)m->birth));
}

static void choose(struct export *x, const struct queue_message *m)
{
	if ((x->n & (x->n - 1)) == 0)
		x->items = mem_array(x->items, 2 * x->n + 1, sizeof *x->items);
	x->items[x->n++] = (struct chosen){ m->id, key_of(m) };
}

static bool see(void *ctx, const struct queue_message *m)
{
	struct export *x = ctx;
	bool named = x->a->nids == 0;

	for (size_t i = 0; i < x->a->nids; i++)
		named |= x->a->ids[i] == m->id;
	if (named && queue_filter_matches(&x->a->filter, m, &x->routes, x->now))
		choose(x, m);
	return true;
}

/* ---- keeping it still -------------------------------------------------------------------------- */

static void told(void *ctx, uint64_t id, enum order_status status, struct str text)
{
	struct export *x = ctx;

	(void)id;
	(void)text;
	x->status = status;
}

static bool order(struct export *x, enum queue_order what, uint64_t id, struct err *e)
{
	struct queue_orders o = { .order = what, .ids = &id, .n = 1, .told = told, .ctx = x };

	return queue_give_orders(&o, e);
}

/* Held, and no delivery of it runs: while one does it cannot be routed again. */
static bool hold(struct export *x, uint64_t id, struct err *e)
{
	if (!order(x, ORDER_HOLD, id, e))
		return false;
	for (int i = 0; x->status == ORDER_OK || x->status == ORDER_BUSY; i++) {
		if (!order(x, ORDER_REQUEUE, id, e))
			return false;
		if (x->status == ORDER_OK)
			return true;
		if (x->status != ORDER_BUSY)
			break;
		if (i == BUSY_TRIES) {
			order(x, ORDER_RELEASE, id, e);
			return err_temp(e, "a delivery of it runs; export it later");
		}
		usleep(BUSY_WAIT);
	}
	return err_perm(e, "it is no longer in the queue");
}

/* ---- writing it ------------------------------------------------------------------------------------ */

static bool copy(int from, int to)
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

struct files {
	struct buf info, local, remote, bounce;
};

static void fill(struct export *x, const struct queue_message *m, struct files *f)
{
	struct buf deliver = BUF_INIT(SIZE_MAX), given = BUF_INIT(SIZE_MAX);

	*f = (struct files){ BUF_INIT(SIZE_MAX), BUF_INIT(SIZE_MAX), BUF_INIT(SIZE_MAX), BUF_INIT(SIZE_MAX) };
	classic_put_info(&f->info, m->sender);
	for (uint32_t i = 0; i < m->nrecipients; i++) {
		const struct queue_recipient *r = &m->recipients[i];
		struct route route = route_address(&x->routes, r->address, &deliver);

		classic_put_recipient(route.channel == ROUTE_LOCAL ? &f->local : &f->remote, buf_str(&deliver),
				      r->done);
		if (r->letter != 'D')
			continue;
		route_base_address(&x->routes, r->address, &given);
		classic_put_bounce(&f->bounce, buf_str(&given), r->answer);
	}
	buf_free(&deliver);
	buf_free(&given);
}

static void files_free(struct files *f)
{
	buf_free(&f->info);
	buf_free(&f->local);
	buf_free(&f->remote);
	buf_free(&f->bounce);
}

static bool write_files(struct export *x, const struct queue_message *m, int content, struct err *e)
{
	struct progress_pair pair = { .a = key_of(m) };
	struct classic_out *o = &x->out;
	struct files f;
	int fd;
	bool ok;

	/* Its number has to be written down before it can be seen. */
	if (!classic_out_content(o, &fd, &pair.b, e) || !progress_add(&x->progress, &pair, 1, e))
		return false;
	if (!copy(content, fd)) {
		file_close(fd);
		return err_temp(e, "its content cannot be copied");
	}
	fill(x, m, &f);
	ok = classic_out_content_end(o, fd, pair.b, e) &&
	     classic_out_file(o, "local", pair.b, buf_str(&f.local), x->now, e) &&
	     classic_out_file(o, "remote", pair.b, buf_str(&f.remote), x->now, e) &&
	     classic_out_file(o, "bounce", pair.b, buf_str(&f.bounce), x->now, e) &&
	     classic_out_file(o, "info", pair.b, buf_str(&f.info), m->birth, e);
	pair.done = true;
	ok = ok && progress_add(&x->progress, &pair, 1, e);
	files_free(&f);
	return ok;
}

static void write_message(void *ctx, const struct queue_message *m, int content)
{
	struct export *x = ctx;

	x->ok = write_files(x, m, content, x->e);
}

static bool write_one(struct export *x, uint64_t id, struct err *e)
{
	int fd;
	bool ok;

	if (!queuequery_connect(&fd, e))
		return false;
	x->e = e;
	ok = queue_with(fd, id, write_message, x, e) && x->ok;
	close(fd);
	return ok;
}

static bool export_one(struct export *x, const struct chosen *c, struct err *e)
{
	const struct progress_pair *known = progress_find(&x->progress, c->key);
	uint64_t id = c->id;

	if (known && known->done) {
		x->before++;
	} else {
		if (known && !classic_out_remove(&x->out, known->b, e))
			return false;
		if (!hold(x, id, e) || !write_one(x, id, e))
			return false;
		x->written++;
	}
	return !x->a->remove || order(x, ORDER_REMOVE, id, e);
}

static void owners(struct classic_out *o)
{
	struct accounts a;
	struct err ignored;

	o->queue_uid = o->send_uid = o->remote_uid = (uid_t)-1;
	o->gid = (gid_t)-1;
	if (getuid() != 0 || !accounts_load(&a, &ignored) || !a.separated)
		return;
	o->queue_uid = a.uid[ACCOUNT_QUEUE];
	o->send_uid = a.uid[ACCOUNT_SEND];
	o->remote_uid = a.uid[ACCOUNT_REMOTE];
	o->gid = a.gid_qmail;
}

static void export_all(struct export *x)
{
	for (size_t i = 0; i < x->n; i++) {
		struct err e = { 0 };

		if (export_one(x, &x->items[i], &e))
			continue;
		fprintf(stderr, "quill: message %llu: %s\n", (unsigned long long)x->items[i].id, e.text);
		x->troubles++;
	}
}

int quill_queue_export(int argc, char **argv)
{
	struct export x = { .now = clock_wall() };
	struct queue_arguments a;
	struct err e;

	if (!queue_arguments_read(&a, argc, argv, 1))
		return 100;
	if (a.nwords != 1)
		return quill_fail(100, "queue export: to which directory?");
	x.a = &a;
	x.out.split = a.split;
	owners(&x.out);
	if (!route_load(&x.routes, &e) || !classic_out_open(&x.out, a.words[0], PROGRESS_FILE, &e) ||
	    !progress_open(&x.progress, x.out.dir, PROGRESS_FILE, &e) || !queue_each(0, see, &x, &e))
		return quill_fail(err_exit_code(&e), "queue export: %s", e.text);
	export_all(&x);
	printf("%zu messages exported, %zu had been before\n", x.written, x.before);
	if (x.written && !a.remove)
		printf("They are held here: remove them before their copies are delivered, or release them.\n");
	progress_close(&x.progress);
	classic_out_close(&x.out);
	route_free(&x.routes);
	free(x.items);
	queue_arguments_free(&a);
	return x.troubles ? 1 : 0;
}

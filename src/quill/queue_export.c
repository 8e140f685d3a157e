/*
 * queue_export: quill queue export: messages of our queue become a queue in
 * qmail's classic layout.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/mem.h"
#include "quill/export_batch.h"
#include "quill/queue_arguments.h"
#include "quill/quill.h"
#include "sys/accounts.h"
#include "sys/clock.h"

#define PROGRESS_FILE "exported-by-quill"

struct choice {
	const struct export *x;
	const struct queue_arguments *a;
	struct export_item *items;
	size_t n;
};

/* What it is written down as: not by its number alone, which a message of another queue may have as well. */
static uint64_t key_of(const struct queue_message *m)
{
	return hash_u64(m->id ^ hash_u64((uint64_t)m->birth));
}

static bool see(void *ctx, const struct queue_message *m)
{
	struct choice *c = ctx;
	bool named = c->a->nids == 0;

	for (size_t i = 0; i < c->a->nids; i++)
		named |= c->a->ids[i] == m->id;
	if (!named || !queue_filter_matches(&c->a->filter, m, &c->x->routes, c->x->now))
		return true;
	if ((c->n & (c->n - 1)) == 0)
		c->items = mem_array(c->items, 2 * c->n + 1, sizeof *c->items);
	c->items[c->n++] = (struct export_item){ m->id, key_of(m), queue_message_held(m), EXPORT_WANTED };
	return true;
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

static bool export_all(struct export *x, const struct queue_arguments *a, struct err *e)
{
	struct choice c = { .x = x, .a = a };
	bool ok = queue_each(0, see, &c, e);

	for (size_t at = 0; ok && at < c.n; at += EXPORT_BATCH)
		ok = export_batch(x, c.items + at, c.n - at < EXPORT_BATCH ? c.n - at : EXPORT_BATCH, e);
	free(c.items);
	return ok;
}

int quill_queue_export(int argc, char **argv)
{
	struct export x = { .now = clock_wall() };
	struct queue_arguments a;
	struct err e;
	bool ok;

	if (!queue_arguments_read(&a, argc, argv, 1))
		return 100;
	if (a.nwords != 1)
		return quill_fail(100, "queue export: to which directory?");
	x.remove = a.remove;
	x.out.split = a.split;
	owners(&x.out);
	if (!route_load(&x.routes, &e) || !classic_out_open(&x.out, a.words[0], PROGRESS_FILE, &e) ||
	    !progress_open(&x.progress, x.out.dir, PROGRESS_FILE, &e))
		return quill_fail(err_exit_code(&e), "queue export: %s", e.text);
	ok = export_all(&x, &a, &e);
	printf("%zu messages exported, %zu had been before\n", x.written, x.before);
	if (x.written && !a.remove)
		printf("They are held here: remove them before their copies are delivered, or release them.\n");
	progress_close(&x.progress);
	classic_out_close(&x.out);
	route_free(&x.routes);
	queue_arguments_free(&a);
	if (!ok)
		return quill_fail(111, "queue export: %s; repeat it to go on", e.text);
	return x.troubles ? 1 : 0;
}

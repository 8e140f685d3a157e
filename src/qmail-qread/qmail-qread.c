/* qmail-qread: what is in the queue, message by message (contract §17.2). */
#include <stdio.h>

#include "base/date.h"
#include "queuequery/queuequery.h"
#include "route/route.h"
#include "sys/home.h"

struct listing {
	struct route_tables routes;
	struct buf out;
};

static void add_head(struct buf *b, const struct message_packet *m)
{
	struct buf date = BUF_INIT(64);

	/* The same date as in header fields, with the old name of the zone. */
	date_add_822(&date, (int64_t)m->birth);
	buf_add(b, str_head(buf_str(&date), str_rchr(buf_str(&date), ' ')));
	buf_addf(b, " GMT  #%llu  %llu  <", (unsigned long long)m->id, (unsigned long long)m->size);
	buf_add_visible(b, m->sender);
	buf_addz(b, "> ");
	if (m->flags & MESSAGE_FAILED)
		buf_addz(b, " bouncing");
	buf_addc(b, '\n');
	buf_free(&date);
}

static void add_message(void *ctx, const struct message_packet *m, struct wire_reader *r)
{
	struct listing *l = ctx;
	struct buf routed = BUF_INIT(SIZE_MAX);

	if (m->first == 0)
		add_head(&l->out, m);
	for (uint32_t i = 0; i < m->count; i++) {
		struct str address;
		struct route where;
		bool done;

		if (!queue_get_recipient(r, &done, &address))
			break;
		where = route_address(&l->routes, address, &routed);
		buf_addf(&l->out, "%s\t%s\t", done ? "  done" : "", where.channel == ROUTE_LOCAL ? "local" : "remote");
		buf_add_visible(&l->out, buf_str(&routed));
		buf_addc(&l->out, '\n');
	}
	buf_free(&routed);
	fwrite(l->out.p, 1, l->out.n, stdout);
	buf_clear(&l->out);
}

int main(void)
{
	struct listing l = { .out = BUF_INIT(SIZE_MAX) };
	struct err e;
	bool ok = home_open(&e) && route_load(&l.routes, &e) && queuequery_list(add_message, &l, &e);

	route_free(&l.routes);
	buf_free(&l.out);
	if (ok)
		return 0;
	fflush(stdout);
	printf("fatal: %s\n", e.text);
	return 111;
}

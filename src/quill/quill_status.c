/* quill_status: quill status and quill queue. */
#include <stdio.h>

#include "base/date.h"
#include "queuequery/queuequery.h"
#include "quill/quill.h"
#include "route/route.h"
#include "sys/clock.h"
#include "sys/home.h"

int quill_status(int argc, char **argv)
{
	struct queue_figures f;
	struct err e;

	if (!quill_choose_home(argc, argv))
		return 111;
	if (!queuequery_figures(&f, &e)) {
		printf("%s: not running (%s)\n", home_path(), e.text);
		return 1;
	}
	printf("%s: running\n", home_path());
	printf("messages in the queue:     %llu (%llu bytes in %llu journal segments)\n",
	       (unsigned long long)f.messages, (unsigned long long)f.bytes, (unsigned long long)f.segments);
	printf("accepted since the start:  %llu\n", (unsigned long long)f.accepted);
	if (f.damaged)
		printf("damaged records:           %llu, kept in queue/corrupt\n", (unsigned long long)f.damaged);
	if (f.refusing)
		printf("new mail is refused: the disk is full\n");
	return 0;
}

/* ---- quill queue -------------------------------------------------------------------------- */

struct listing {
	struct route_tables routes;
	size_t messages;
	int64_t now;
};

static void print_clean(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		putchar(s.p[i] > 32 && s.p[i] < 127 ? s.p[i] : '_');
}

static void print_age(int64_t seconds)
{
	if (seconds < 120)
		printf("%llds", (long long)seconds);
	else if (seconds < 7200)
		printf("%lldm", (long long)(seconds / 60));
	else if (seconds < 172800)
		printf("%lldh", (long long)(seconds / 3600));
	else
		printf("%lldd", (long long)(seconds / 86400));
}

static void print_message(void *ctx, const struct message_packet *m, struct wire_reader *r)
{
	struct listing *l = ctx;
	struct buf routed = BUF_INIT(SIZE_MAX);

	if (m->first == 0) {
		l->messages++;
		printf("%llu  ", (unsigned long long)m->id);
		print_age(l->now - (int64_t)m->birth);
		printf("  %llu bytes  from <", (unsigned long long)m->size);
		print_clean(m->sender);
		printf(">%s\n", m->flags & MESSAGE_FAILED ? "  (some recipients failed)" : "");
	}
	for (uint32_t i = 0; i < m->count; i++) {
		struct str address;
		struct route where;
		bool done;

		if (!queue_get_recipient(r, &done, &address))
			break;
		where = route_address(&l->routes, address, &routed);
		printf("    %-7s %-6s ", done ? "done" : "waiting", where.channel == ROUTE_LOCAL ? "local" : "remote");
		print_clean(buf_str(&routed));
		putchar('\n');
	}
	buf_free(&routed);
}

int quill_queue(int argc, char **argv)
{
	struct listing l = { .now = clock_wall() };
	struct err e;

	if (!quill_choose_home(argc, argv))
		return 111;
	if (!route_load(&l.routes, &e) || !queuequery_list(print_message, &l, &e))
		return quill_fail(111, "%s", e.text);
	printf("%zu messages\n", l.messages);
	route_free(&l.routes);
	return 0;
}

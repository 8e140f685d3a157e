/*
 * quill_trace: quill trace: the whole way of a message, from the log and, as
 * long as it is there, from the queue.
 *
 * The log is read once. Every message that is under way in it is a story;
 * a story that is wanted is kept, the others go when their message ends.
 */
#include <errno.h>
#include <getopt.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "maillog/logevent.h"
#include "quill/queue_print.h"
#include "quill/quill.h"
#include "sys/home.h"
#include "wire/attribute.h"

#define BUCKETS 65536

/* One line of a story. */
struct entry {
	enum log_kind kind;
	bool json;
	uint64_t delivery;
	char *when, *text; /* owned */
};

struct story {
	struct story *next; /* in its bucket, or among the wanted ones */
	uint64_t id;
	struct entry *entries;
	size_t n, room;
	bool wanted, ended;
};

struct delivery {
	struct delivery *next;
	uint64_t number, message;
	char *to; /* owned */
};

struct trace {
	struct str what;
	uint64_t number; /* what is asked for is a message number */
	bool by_number, json;
	struct story *stories[BUCKETS];
	struct delivery *deliveries[BUCKETS];
	struct story *wanted, **last;
	struct queue_printer printer;
	size_t found;
	uint64_t bounced, bounce_qp; /* the last bounce that was sent, until it is seen to arrive */
};

/* ---- stories ---------------------------------------------------------------------------------- */

static void story_free(struct story *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->entries[i].when);
		free(s->entries[i].text);
	}
	free(s->entries);
	free(s);
}

static struct story **bucket(struct trace *t, uint64_t id)
{
	return &t->stories[hash_u64(id) % BUCKETS];
}

static struct story *find_story(struct trace *t, uint64_t id)
{
	struct story *s = *bucket(t, id);

	while (s && s->id != id)
		s = s->next;
	return s;
}

/* Out of the table; what is wanted is printed in the order of the ends. */
static void put_away(struct trace *t, struct story *s)
{
	struct story **p = bucket(t, s->id);

	while (*p != s)
		p = &(*p)->next;
	*p = s->next;
	s->next = NULL;
	if (!s->wanted) {
		story_free(s);
		return;
	}
	*t->last = s;
	t->last = &s->next;
}

static struct story *begin_story(struct trace *t, uint64_t id)
{
	struct story *s = mem_zero(1, sizeof *s), **b = bucket(t, id);

	s->id = id;
	s->wanted = t->by_number && id == t->number;
	s->next = *b;
	*b = s;
	return s;
}

static void add_entry(struct story *s, const struct log_event *e, struct str text)
{
	struct entry *last = s->n ? &s->entries[s->n - 1] : NULL;
	struct entry entry = { e->kind, e->json, e->delivery, mem_copy(buf_str(&e->when)), mem_copy(text) };

	/* The object beside a line says the same, and more exactly. */
	if (last && last->kind == e->kind && last->delivery == e->delivery && !last->json && e->json) {
		if (entry.when[0] == 0 || last->when[0] == 0 || strcmp(entry.when, last->when) != 0) {
			free(last->when);
			last->when = entry.when;
		} else {
			free(entry.when);
		}
		free(last->text);
		last->text = entry.text;
		last->json = true;
		return;
	}
	if (s->n == s->room) {
		s->room = s->room ? 2 * s->room : 8;
		s->entries = mem_array(s->entries, s->room, sizeof *s->entries);
	}
	s->entries[s->n++] = entry;
}

/* ---- deliveries: their results do not name the message -------------------------------------------- */

static struct delivery **delivery_place(struct trace *t, uint64_t number)
{
	struct delivery **p = &t->deliveries[hash_u64(number) % BUCKETS];

	while (*p && (*p)->number != number)
		p = &(*p)->next;
	return p;
}

static void begin_delivery(struct trace *t, const struct log_event *e)
{
	struct delivery **p = delivery_place(t, e->delivery);

	if (*p == NULL)
		*p = mem_zero(1, sizeof **p);
	free((*p)->to);
	(*p)->number = e->delivery;
	(*p)->message = e->msg;
	(*p)->to = mem_copy(buf_str(&e->to));
}

/* ---- what is asked for ------------------------------------------------------------------------------ */

/* "remote joe@x.test", or the address alone. */
static bool is_address(const struct trace *t, struct str s)
{
	struct str channel, address;

	if (str_cut(s, ' ', &channel, &address))
		s = address;
	return s.n && str_ieq(s, t->what);
}

static bool is_asked_for(const struct trace *t, const struct log_event *e)
{
	return is_address(t, buf_str(&e->sender)) || is_address(t, buf_str(&e->recipient)) ||
	       is_address(t, buf_str(&e->to)) || (e->messageid.n && str_eq(buf_str(&e->messageid), t->what)) ||
	       (e->trace.n && str_eq(buf_str(&e->trace), t->what));
}

/* ---- one event ---------------------------------------------------------------------------------------- */

static void describe_info(struct buf *b, const struct log_event *e)
{
	buf_addf(b, "accepted: %llu bytes from <%.*s>, process %llu of uid %llu", (unsigned long long)e->size,
		 STR_ARG(buf_str(&e->sender)), (unsigned long long)e->qp, (unsigned long long)e->uid);
	if (e->client.n)
		buf_addf(b, ", client %.*s", STR_ARG(buf_str(&e->client)));
	if (e->messageid.n)
		buf_addf(b, ", Message-ID %.*s", STR_ARG(buf_str(&e->messageid)));
	if (e->trace.n)
		buf_addf(b, ", trace %.*s", STR_ARG(buf_str(&e->trace)));
}

static void describe(struct trace *t, struct buf *b, const struct log_event *e)
{
	const struct delivery *d = *delivery_place(t, e->delivery);
	const char *to = d ? d->to : "";

	switch (e->kind) {
	case LOG_NEW:
	case LOG_INFO:
		describe_info(b, e);
		break;
	case LOG_START:
		buf_addf(b, "delivery %llu to %s begins", (unsigned long long)e->delivery, to);
		break;
	case LOG_SUCCESS:
	case LOG_DEFERRAL:
	case LOG_FAILURE:
		buf_addf(b, "delivery %llu to %s: %s\n", (unsigned long long)e->delivery, to,
			 e->kind == LOG_SUCCESS    ? "success"
			 : e->kind == LOG_DEFERRAL ? "put off"
						   : "failure");
		buf_add(b, buf_str(&e->text));
		break;
	case LOG_BOUNCE:
		buf_addf(b, "the sender is told of failures (process %llu)", (unsigned long long)e->qp);
		break;
	case LOG_OPERATOR:
		buf_addz(b, "operator: ");
		buf_add(b, buf_str(&e->text));
		break;
	case LOG_END:
		buf_addz(b, "ended: nothing of it is left in the queue");
		break;
	case LOG_OTHER:
		break;
	}
}

/* The bounce of a message whose end was seen is a message of its own. */
static void link_bounce(struct trace *t, const struct log_event *e)
{
	struct log_event link = { .kind = LOG_BOUNCE, .json = true, .when = e->when };
	char text[80];

	if (e->qp == 0 || e->qp != t->bounce_qp)
		return;
	snprintf(text, sizeof text, "its bounce is message %llu", (unsigned long long)e->msg);
	for (struct story *s = t->wanted; s; s = s->next)
		if (s->id == t->bounced)
			add_entry(s, &link, str_of(text));
	t->bounce_qp = 0;
}

static struct story *story_of(struct trace *t, struct log_event *e)
{
	const struct delivery *d;
	struct story *s;

	if (!e->has_msg) {
		d = *delivery_place(t, e->delivery);
		if (d == NULL)
			return NULL;
		e->msg = d->message;
	}
	s = find_story(t, e->msg);
	/* Numbers may be used again, and a log may begin or break off anywhere. */
	if (s && e->kind == LOG_NEW && !e->json) {
		put_away(t, s);
		s = NULL;
	}
	return s ? s : begin_story(t, e->msg);
}

static void take_event(struct trace *t, struct log_event *e)
{
	struct buf text = BUF_INIT(SIZE_MAX);
	struct story *s;

	if (e->kind == LOG_START)
		begin_delivery(t, e);
	s = story_of(t, e);
	if (s == NULL)
		return;
	/* An end may be told twice, in both forms: then the story is over already. */
	if (s->n == 0 && e->kind == LOG_END && e->json) {
		put_away(t, s);
		return;
	}
	s->wanted = s->wanted || is_asked_for(t, e);
	/* The plain line has nothing but the number, and "info" follows. */
	if (e->kind != LOG_NEW || e->json) {
		struct log_event as = *e;

		as.kind = e->kind == LOG_NEW ? LOG_INFO : e->kind;
		describe(t, &text, e);
		add_entry(s, &as, buf_str(&text));
	}
	if (e->kind == LOG_INFO || e->kind == LOG_NEW)
		link_bounce(t, e);
	if (e->kind == LOG_BOUNCE) {
		t->bounced = e->msg;
		t->bounce_qp = e->qp;
	}
	if (e->kind == LOG_END)
		put_away(t, s);
	buf_free(&text);
}

/* ---- files ---------------------------------------------------------------------------------------------- */

static bool read_log(struct trace *t, FILE *f)
{
	struct log_event e;
	char *line = NULL;
	size_t room = 0;
	ssize_t n;

	log_event_init(&e);
	while ((n = getline(&line, &room, f)) > 0) {
		log_event_read((struct str){ line, (size_t)n - (line[n - 1] == '\n') }, &e);
		if (e.kind != LOG_OTHER)
			take_event(t, &e);
	}
	log_event_free(&e);
	free(line);
	return !ferror(f);
}

static bool read_file(struct trace *t, const char *path, struct err *e)
{
	FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	bool ok;

	if (f == NULL)
		return err_sys(e, errno, "unable to open %s", path);
	ok = read_log(t, f);
	if (f != stdin)
		fclose(f);
	return ok || err_sys(e, errno, "unable to read %s", path);
}

/* Where loggers usually put it: multilog's old files (their names sort by time), then the current one. */
static bool read_usual_places(struct trace *t, struct err *e)
{
	static const char *const places[] = { "log/@*",
					      "log/current",
					      "log/*.log",
					      "/var/log/qmail/@*",
					      "/var/log/qmail/current",
					      "/var/log/qmail/qmail-send/@*",
					      "/var/log/qmail/qmail-send/current",
					      "/var/log/mail.log.1",
					      "/var/log/mail.log",
					      "/var/log/maillog" };
	struct buf pattern = BUF_INIT(5000);
	bool any = false;

	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		struct err ignored;
		glob_t found;

		buf_clear(&pattern);
		if (places[i][0] != '/')
			buf_addf(&pattern, "%s/", home_path());
		buf_addz(&pattern, places[i]);
		if (glob(buf_cstr(&pattern), 0, NULL, &found) != 0)
			continue;
		for (size_t k = 0; k < found.gl_pathc; k++)
			any |= read_file(t, found.gl_pathv[k], &ignored);
		globfree(&found);
	}
	buf_free(&pattern);
	return any || err_temp(e, "I find no log that I may read; name its files behind what is looked for");
}

/* ---- printing ------------------------------------------------------------------------------------------- */

static void print_entry(const struct entry *x, struct buf *out)
{
	struct str first, rest;

	str_cut(str_of(x->text), '\n', &first, &rest);
	buf_addf(out, "  %-19s  ", x->when);
	queue_put_text(out, first, "");
	queue_put_text(out, rest, "                         ");
}

static void print_story(const struct trace *t, const struct story *s)
{
	struct buf out = BUF_INIT(SIZE_MAX);

	if (!t->json)
		buf_addf(&out, "message %llu\n", (unsigned long long)s->id);
	for (size_t i = 0; i < s->n; i++) {
		if (!t->json) {
			print_entry(&s->entries[i], &out);
			continue;
		}
		buf_addc(&out, '{');
		/* A new object: the comma of the last one does not matter. */
		json_u64(&out, "msg", s->id);
		if (s->entries[i].when[0])
			json_str(&out, "time", str_of(s->entries[i].when));
		json_str(&out, "text", str_of(s->entries[i].text));
		buf_addz(&out, "}\n");
	}
	fwrite(out.p, 1, out.n, stdout);
	buf_free(&out);
}

static size_t print_stories(struct trace *t)
{
	size_t n = 0;

	/* Those that have not ended come last. */
	for (size_t i = 0; i < BUCKETS; i++)
		while (t->stories[i])
			put_away(t, t->stories[i]);
	for (struct story *s = t->wanted, *next; s; s = next) {
		next = s->next;
		print_story(t, s);
		story_free(s);
		n++;
	}
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct delivery *d = t->deliveries[i], *next; d; d = next) {
			next = d->next;
			free(d->to);
			free(d);
		}
	return n;
}

/* ---- the queue --------------------------------------------------------------------------------------------- */

static bool print_queued(void *ctx, const struct queue_message *m)
{
	struct trace *t = ctx;
	struct queue_filter f = { .sender = t->what.p }, g = { .recipient = t->what.p }, h = { .trace = t->what.p };
	bool wanted = t->by_number ? m->id == t->number
				   : queue_filter_matches(&f, m, &t->printer.routes, t->printer.now) ||
					 queue_filter_matches(&g, m, &t->printer.routes, t->printer.now) ||
					 queue_filter_matches(&h, m, &t->printer.routes, t->printer.now) ||
					 str_eq(queue_attribute(m->attributes, ATTR_MESSAGE_ID), t->what);

	if (!wanted)
		return true;
	if (t->found++ == 0 && !t->json)
		printf("in the queue now:\n");
	queue_print_message(&t->printer, m, true);
	return true;
}

/* ---- the command --------------------------------------------------------------------------------------------- */

static bool read_arguments(int argc, char **argv, struct trace *t, const char **logs, size_t *nlogs)
{
	static const struct option options[] = { { "log", required_argument, NULL, 'L' },
						 { "json", no_argument, NULL, 'J' },
						 { "home", required_argument, NULL, 'C' },
						 { 0 } };
	int c;

	opterr = 0;
	optind = 0;
	while ((c = getopt_long(argc + 1, argv - 1, ":C:L:", options, NULL)) != -1)
		if (c == 'C')
			setenv("QMAILHOME", optarg, 1);
		else if (c == 'L')
			logs[(*nlogs)++] = optarg;
		else if (c == 'J')
			t->json = true;
		else
			return false;
	/* Behind the one thing that is asked for, further log files. */
	if (optind >= argc + 1)
		return false;
	t->what = str_of(argv[optind - 1]);
	for (int i = optind + 1; i < argc + 1; i++)
		logs[(*nlogs)++] = argv[i - 1];
	t->by_number = str_to_u64(t->what, &t->number);
	return true;
}

static bool read_logs(struct trace *t, const char *const *logs, size_t n, struct err *e)
{
	if (n == 0)
		return read_usual_places(t, e);
	for (size_t i = 0; i < n; i++)
		if (!read_file(t, logs[i], e))
			return false;
	return true;
}

static int tell(struct trace *t, const char *const *logs, size_t nlogs)
{
	bool log_read, queue_read;
	struct err e, f;
	size_t stories;

	if (!home_open(&e) || !queue_printer_init(&t->printer, &e))
		return quill_fail(err_exit_code(&e), "trace: %s", e.text);
	t->printer.json = t->json;
	log_read = read_logs(t, logs, nlogs, &e);
	stories = print_stories(t);
	queue_read = queue_each(OPEN_ANSWERS, print_queued, t, &f);
	if (!log_read)
		fprintf(stderr, "quill: trace: %s\n", e.text);
	if (!queue_read)
		fprintf(stderr, "quill: trace: %s\n", f.text);
	if (stories == 0 && t->found == 0 && log_read && queue_read)
		fprintf(stderr, "quill: trace: there is nothing about %s, neither in the log nor in the queue\n",
			t->what.p);
	stories += t->found;
	queue_printer_free(&t->printer);
	return stories ? 0 : log_read && queue_read ? 1 : 111;
}

int quill_trace(int argc, char **argv)
{
	const char **logs = mem_array(NULL, (size_t)argc + 1, sizeof *logs);
	struct trace *t = mem_zero(1, sizeof *t);
	size_t nlogs = 0;
	int code;

	t->last = &t->wanted;
	if (read_arguments(argc, argv, t, logs, &nlogs))
		code = tell(t, logs, nlogs);
	else
		code = quill_fail(100,
				  "trace: which message? Give its number, its trace id, its Message-ID, or an address");
	free(t);
	free(logs);
	return code;
}

/*
 * quill_queue: quill queue: what waits, and what is to become of it.
 *
 * Orders for messages that a filter means are given in two steps: the list is
 * read, then each message gets its order. What arrives in between is not
 * concerned, what leaves is reported as gone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "quill/queue_arguments.h"
#include "quill/queue_print.h"
#include "quill/quill.h"
#include "sys/file.h"
#include "sys/home.h"

#define HEADER_SHOWN (256u << 10)
#define BUSY_TRIES 10
#define BUSY_WAIT 200000 /* microseconds */

/* ---- list ----------------------------------------------------------------------------------- */

struct listing {
	const struct queue_arguments *a;
	struct queue_printer printer;
	size_t messages;
	uint64_t *ids; /* collected instead of printed, if collect */
	bool collect;
};

static bool is_named(const struct queue_arguments *a, uint64_t id)
{
	for (size_t i = 0; i < a->nids; i++)
		if (a->ids[i] == id)
			return true;
	return a->nids == 0;
}

static void collect(struct listing *l, uint64_t id)
{
	if ((l->messages & (l->messages - 1)) == 0)
		l->ids = mem_array(l->ids, 2 * l->messages + 1, sizeof *l->ids);
	l->ids[l->messages] = id;
}

static bool take_message(void *ctx, const struct queue_message *m)
{
	struct listing *l = ctx;

	if (!is_named(l->a, m->id) || !queue_filter_matches(&l->a->filter, m, &l->printer.routes, l->printer.now))
		return true;
	if (l->collect)
		collect(l, m->id);
	else if (l->a->numbers)
		printf("%llu\n", (unsigned long long)m->id);
	else
		queue_print_message(&l->printer, m, false);
	l->messages++;
	return true;
}

static bool read_list(struct listing *l, const struct queue_arguments *a, struct err *e)
{
	bool answers = queue_filter_needs_answers(&a->filter) || !(l->collect || a->numbers);

	l->a = a;
	if (!queue_printer_init(&l->printer, e))
		return false;
	l->printer.json = a->json;
	return queue_each(answers ? OPEN_ANSWERS : 0, take_message, l, e);
}

static int list(int argc, char **argv)
{
	struct listing l = { 0 };
	struct queue_arguments a;
	struct err e;

	if (!queue_arguments_read(&a, argc, argv, 0))
		return 100;
	if (!read_list(&l, &a, &e))
		return quill_fail(err_exit_code(&e), "%s", e.text);
	if (!a.json && !a.numbers)
		printf("%zu messages\n", l.messages);
	queue_printer_free(&l.printer);
	queue_arguments_free(&a);
	return 0;
}

/* ---- show -------------------------------------------------------------------------------------- */

struct showing {
	struct queue_printer printer;
	bool body;
};

/* The header, or the beginning of it where it is very long. */
static void read_header(int content, struct buf *out)
{
	char *room = buf_room(out, HEADER_SHOWN);
	ssize_t n = file_read_at(content, room, HEADER_SHOWN, 0);
	size_t end;

	buf_wrote(out, n > 0 ? (size_t)n : 0);
	end = str_starts(buf_str(out), STR("\n")) ? 0 : str_find(buf_str(out), STR("\n\n")) + 1;
	buf_truncate(out, end);
}

static void copy_content(int content)
{
	static char chunk[65536];
	uint64_t at = 0;
	ssize_t n;

	while ((n = file_read_at(content, chunk, sizeof chunk, at)) > 0) {
		fwrite(chunk, 1, (size_t)n, stdout);
		at += (uint64_t)n;
	}
}

static void show_json(struct showing *s, const struct queue_message *m, struct str header)
{
	struct buf out = BUF_INIT(SIZE_MAX);

	buf_addc(&out, '{');
	queue_put_json(&s->printer, &out, m);
	json_str(&out, "header", header);
	buf_addz(&out, "}\n");
	fwrite(out.p, 1, out.n, stdout);
	buf_free(&out);
}

static void show_message(void *ctx, const struct queue_message *m, int content)
{
	struct showing *s = ctx;
	struct buf header = BUF_INIT(SIZE_MAX), out = BUF_INIT(SIZE_MAX);

	/* As it is, for programs and pagers. */
	if (s->body) {
		copy_content(content);
		return;
	}
	read_header(content, &header);
	if (s->printer.json) {
		show_json(s, m, buf_str(&header));
	} else {
		queue_print_message(&s->printer, m, true);
		buf_addc(&out, '\n');
		queue_put_text(&out, buf_str(&header), "    ");
		buf_addc(&out, '\n');
		fwrite(out.p, 1, out.n, stdout);
	}
	buf_free(&header);
	buf_free(&out);
}

static int show(int argc, char **argv)
{
	struct showing s = { 0 };
	struct queue_arguments a;
	struct err e;
	int fd, code = 0;

	if (!queue_arguments_read(&a, argc, argv, 0))
		return 100;
	if (a.nids == 0)
		return quill_fail(100, "queue show: which message? Give its number");
	if (!queue_printer_init(&s.printer, &e) || !queuequery_connect(&fd, &e))
		return quill_fail(err_exit_code(&e), "%s", e.text);
	s.printer.json = a.json;
	s.body = a.body;
	for (size_t i = 0; i < a.nids; i++)
		if (!queue_with(fd, a.ids[i], show_message, &s, &e))
			code = quill_fail(err_exit_code(&e), "%s", e.text);
	queue_printer_free(&s.printer);
	queue_arguments_free(&a);
	return code;
}

/* ---- orders ------------------------------------------------------------------------------------- */

struct verb {
	const char *name;
	enum queue_order order;
	const char *done; /* "3 messages DONE" */
};

static const struct verb verbs[] = {
	{ "hold", ORDER_HOLD, "held" },        { "release", ORDER_RELEASE, "released" },
	{ "retry", ORDER_RETRY, "due now" },   { "remove", ORDER_REMOVE, "removed" },
	{ "bounce", ORDER_BOUNCE, "bounced" }, { "requeue", ORDER_REQUEUE, "routed again" },
	{ "edit", ORDER_SENDER, "changed" },
};

struct told {
	size_t done, refused;
	bool quiet;     /* of what a filter meant and what is gone since */
	bool again;     /* those that are being delivered are tried again: most deliveries take a moment */
	uint64_t *busy; /* they are collected here */
	size_t nbusy;
};

static void hear(void *ctx, uint64_t id, enum order_status status, struct str text)
{
	struct told *t = ctx;

	if (status == ORDER_BUSY && t->again) {
		t->busy[t->nbusy++] = id;
		return;
	}
	if (status == ORDER_OK)
		t->done++;
	else if (!(t->quiet && status == ORDER_NONE))
		t->refused++;
	if (text.n && !(t->quiet && status == ORDER_NONE))
		fprintf(stderr, "quill: message %llu: %.*s\n", (unsigned long long)id, STR_ARG(text));
}

/* Which messages are meant: by number, by filter, or (said so) all. */
static bool choose(const struct queue_arguments *a, struct listing *l, struct queue_orders *o, struct err *e)
{
	bool filtered = queue_filter_any(&a->filter);

	if (a->nids == 0 && !filtered && !a->all)
		return err_perm(e, "which messages? Give their numbers, a filter, or --all");
	if (a->nids && !filtered) {
		o->ids = a->ids;
		o->n = a->nids;
		return true;
	}
	l->collect = true;
	if (!read_list(l, a, e))
		return false;
	o->ids = l->ids;
	o->n = l->messages;
	return true;
}

/* edit: sender NEW, or recipient OLD NEW. */
static bool take_words(const struct queue_arguments *a, const struct verb *v, struct queue_orders *o, struct err *e)
{
	o->order = v->order;
	o->one = str_of(a->reason);
	if (v->order != ORDER_SENDER)
		return true;
	if (a->nwords == 2 && strcmp(a->words[0], "sender") == 0) {
		o->one = str_of(a->words[1]);
		return true;
	}
	if (a->nwords == 3 && strcmp(a->words[0], "recipient") == 0) {
		o->order = ORDER_RECIPIENT;
		o->one = str_of(a->words[1]);
		o->two = str_of(a->words[2]);
		return true;
	}
	return err_perm(e, "edit: say \"sender NEW\" or \"recipient OLD NEW\"");
}

/* Orders for all, and again for those that were being delivered. */
static bool give_all(struct queue_orders *o, struct told *t, struct err *e)
{
	struct queue_orders now = *o;
	uint64_t *busy = mem_array(NULL, o->n + 1, sizeof *busy), *before = mem_array(NULL, o->n + 1, sizeof *before);
	bool ok = true;

	for (int left = BUSY_TRIES; ok && now.n && left > 0; left--) {
		t->again = left > 1;
		t->busy = busy;
		t->nbusy = 0;
		ok = queue_give_orders(&now, e);
		if (t->nbusy)
			usleep(BUSY_WAIT);
		now.ids = busy;
		now.n = t->nbusy;
		busy = before;
		before = (uint64_t *)(uintptr_t)now.ids;
	}
	free(busy);
	free(before);
	return ok;
}

static int give_chosen(const struct verb *v, const struct queue_arguments *a, struct queue_orders *o, struct told *told)
{
	struct err e;

	if (a->dry) {
		for (size_t i = 0; i < o->n; i++)
			printf("%llu\n", (unsigned long long)o->ids[i]);
		return 0;
	}
	told->quiet = o->ids != a->ids;
	if (!give_all(o, told, &e))
		return quill_fail(err_exit_code(&e), "queue %s: %s (%zu messages %s before)", v->name, e.text,
				  told->done, v->done);
	printf("%zu message%s %s\n", told->done, told->done == 1 ? "" : "s", v->done);
	return told->refused ? 1 : 0;
}

static int give(const struct verb *v, int argc, char **argv)
{
	struct told told = { 0 };
	struct queue_orders o = { .told = hear, .ctx = &told };
	struct listing l = { 0 };
	struct queue_arguments a;
	struct err e;
	int code;

	if (!queue_arguments_read(&a, argc, argv, v->order == ORDER_SENDER ? 3 : 0))
		return 100;
	if (take_words(&a, v, &o, &e) && choose(&a, &l, &o, &e))
		code = give_chosen(v, &a, &o, &told);
	else
		code = quill_fail(err_exit_code(&e), "queue %s: %s", v->name, e.text);
	queue_printer_free(&l.printer);
	free(l.ids);
	queue_arguments_free(&a);
	return code;
}

/* ---- which ----------------------------------------------------------------------------------------- */

static bool is_directory(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int quill_queue(int argc, char **argv)
{
	const char *verb = argc ? argv[0] : "list";

	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		if (strcmp(verb, verbs[i].name) == 0)
			return give(&verbs[i], argc, argv);
	if (strcmp(verb, "import") == 0)
		return quill_queue_import(argc, argv);
	if (strcmp(verb, "export") == 0)
		return quill_queue_export(argc, argv);
	if (strcmp(verb, "show") == 0)
		return show(argc, argv);
	if (strcmp(verb, "list") == 0)
		return list(argc, argv);
	/* quill queue [DIR] [FILTER]... */
	if (argc && verb[0] != '-' && is_directory(verb)) {
		setenv("QMAILHOME", verb, 1);
		return list(argc, argv);
	}
	if (argc && verb[0] != '-')
		return quill_fail(
		    100,
		    "queue %s: list, show, hold, release, retry, remove, bounce, edit, requeue, import or "
		    "export is expected, or a directory",
		    verb);
	/* getopt wants something in front of the options. */
	return list(argc + 1, argv - 1);
}

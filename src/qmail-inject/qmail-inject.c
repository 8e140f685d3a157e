/*
 * qmail-inject: completes a new message and puts it into the queue
 * (contract §13).
 *
 * Reads the message from descriptor 0. The header is held in memory (at most
 * HEADER_MAX bytes), the body is passed on as it comes.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "inject/compose.h"
#include "mail/header.h"
#include "mail/quote.h"
#include "submit/submit.h"
#include "sys/clock.h"
#include "sys/home.h"
#include "sys/io.h"

#define HEADER_MAX (64u << 20)
#define CHUNK 65536

enum recipients_from { FROM_EITHER, FROM_ARGUMENTS, FROM_HEADER, FROM_BOTH };

struct options {
	enum recipients_from recipients_from;
	bool print;         /* instead of queueing */
	const char *sender; /* -f, or NULL */
	char **recipients;  /* NULL-terminated */
	struct compose_options compose;
};

static void die(int code, const char *fmt, ...) __attribute__((noreturn, format(printf, 2, 3)));

static void die(int code, const char *fmt, ...)
{
	char text[700];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	fprintf(stderr, "qmail-inject: fatal: %s\n", text);
	exit(code);
}

static void die_err(const struct err *e)
{
	die(err_exit_code(e), "%s", e->text);
}

/* The letters of $QMAILINJECT; unknown ones mean nothing. */
static void read_letters(const char *letters, struct compose_options *o)
{
	for (; letters && *letters; letters++) {
		o->name_as_comment |= *letters == 'c';
		o->ignore_return_path |= *letters == 's';
		o->delete_from |= *letters == 'f';
		o->delete_message_id |= *letters == 'i';
		o->sender_per_recipient |= *letters == 'r';
		o->sender_per_message |= *letters == 'm';
	}
}

static struct options read_options(int argc, char **argv)
{
	struct options o = { 0 };
	int c;

	opterr = 0;
	read_letters(getenv("QMAILINJECT"), &o.compose);
	while ((c = getopt(argc, argv, "+:aAhHnNf:")) != -1) {
		switch (c) {
		case 'a':
			o.recipients_from = FROM_ARGUMENTS;
			break;
		case 'h':
			o.recipients_from = FROM_HEADER;
			break;
		case 'A':
			o.recipients_from = FROM_EITHER;
			break;
		case 'H':
			o.recipients_from = FROM_BOTH;
			break;
		case 'n':
		case 'N':
			o.print = c == 'n';
			break;
		case 'f':
			o.sender = optarg;
			break;
		case ':':
			fprintf(stderr, "qmail-inject: option requires an argument -- %c\n", optopt);
			exit(100);
		default:
			fprintf(stderr, "qmail-inject: illegal option -- %c\n", optopt);
			exit(100);
		}
	}
	o.recipients = argv + optind;
	if (o.recipients_from == FROM_EITHER)
		o.recipients_from = *o.recipients ? FROM_ARGUMENTS : FROM_HEADER;
	return o;
}

/* What control/ and the environment say. */
struct setup {
	struct rewrite_rules rules;
	struct identity who;
	struct buf idhost;
	struct control_map followup;
	struct compose_facts facts;
};

/* $variable, else the control file. */
static void read_setting(const char *variable, const char *file, struct buf *out)
{
	const char *value = getenv(variable);
	struct err e;

	if (value)
		buf_addz(out, value);
	else if (!control_line_or_me(file, file, out, &e))
		die(111, "read error: %s", e.text);
	if (!buf_ok(out))
		die(100, "%s is too long", value ? variable : file);
}

static void read_rules(struct rewrite_rules *rules)
{
	struct buf host = BUF_INIT(1024), domain = BUF_INIT(1024), plus = BUF_INIT(1024);
	struct err e;

	read_setting("QMAILDEFAULTHOST", "defaulthost", &host);
	read_setting("QMAILDEFAULTDOMAIN", "defaultdomain", &domain);
	read_setting("QMAILPLUSDOMAIN", "plusdomain", &plus);
	if (!rewrite_init(rules, buf_str(&host), buf_str(&domain), buf_str(&plus), &e))
		die_err(&e);
	buf_free(&host);
	buf_free(&domain);
	buf_free(&plus);
}

static void read_setup(struct setup *s)
{
	const char *followup = getenv("QMAILMFTFILE");
	struct err e;

	*s = (struct setup){ .who = identity_find(getenv), .idhost = BUF_INIT(1024) };
	if (!home_open(&e))
		die(111, "%s", e.text);
	read_rules(&s->rules);
	read_setting("QMAILIDHOST", "idhost", &s->idhost);
	if (followup && !control_set_load_path(followup, &s->followup, &e))
		die(111, "read error: %s", e.text);
	s->facts = (struct compose_facts){
		.rules = &s->rules,
		.who = &s->who,
		.followup = s->followup.present ? &s->followup : NULL,
		.idhost = buf_str(&s->idhost),
		.time = clock_wall(),
		.pid = (uint64_t)getpid(),
	};
}

/* Descriptor 0, with what was read and not yet used. */
struct input {
	struct buf data;
	size_t used;
	bool at_end;
};

static struct str unused(const struct input *in)
{
	return str_from(buf_str(&in->data), in->used);
}

/* More data behind what is unused. */
static void read_more(struct input *in)
{
	char *room;
	ssize_t r;

	buf_consume(&in->data, in->used);
	in->used = 0;
	room = buf_room(&in->data, CHUNK);
	if (room == NULL)
		die(100, "the header is larger than %u bytes", HEADER_MAX);
	r = io_read(0, room, CHUNK);
	if (r < 0)
		die(111, "read error: %s", errno_text(errno));
	buf_wrote(&in->data, (size_t)r);
	in->at_end = r == 0;
}

/* Feeds the header to c. The result is how it ended; the body is unused input. */
static enum header_item read_header(struct input *in, struct compose *c)
{
	struct header_scan scan = { 0 };
	size_t total = 0;
	struct err e;

	for (;;) {
		struct str rest = unused(in), item;
		enum header_item kind = header_take(&scan, &rest, in->at_end, &item);
		bool ok = true;

		if (kind == HEADER_MORE) {
			read_more(in);
			continue;
		}
		in->used = in->data.n - rest.n;
		if (kind == HEADER_FIELD)
			ok = compose_field(c, item, &e);
		else if (kind == HEADER_MBOX_LINE)
			ok = compose_mbox_line(c, item, &e);
		else
			return kind;
		total += item.n;
		if (total > HEADER_MAX)
			ok = err_perm(&e, "the header is larger than %u bytes", HEADER_MAX);
		if (!ok)
			die_err(&e);
	}
}

/* Where the result goes: the queue, or descriptor 1. */
struct output {
	bool print;
	struct submit submit;
};

static void put(struct output *out, struct str data)
{
	if (!out->print)
		submit_data(&out->submit, data);
	else if (io_write_all(1, data.p, data.n) == -1)
		die(111, "write error: %s", errno_text(errno));
}

static void put_body(struct output *out, struct input *in, enum header_item header_end)
{
	char last = '\n';

	if (header_end == HEADER_EOF)
		return;
	put(out, STR("\n"));
	for (;;) {
		struct str rest = unused(in);

		if (rest.n) {
			put(out, rest);
			last = rest.p[rest.n - 1];
		}
		if (in->at_end)
			break;
		in->used = in->data.n;
		read_more(in);
	}
	if (last != '\n')
		put(out, STR("\n"));
}

static void find_sender(const struct options *o, struct compose *c, struct buf *sender)
{
	struct err e;
	bool ok;

	if (o->sender)
		ok = rewrite_plain(c->facts->rules, str_of(o->sender), sender, &e);
	else
		ok = compose_sender(c, sender, &e);
	if (!ok)
		die_err(&e);
}

static void find_argument_recipients(const struct options *o, const struct rewrite_rules *rules, struct addresses *list)
{
	struct buf plain = BUF_INIT(1u << 20);
	struct err e;

	if (o->recipients_from == FROM_HEADER)
		return;
	for (char **arg = o->recipients; *arg; arg++) {
		if (!rewrite_plain(rules, str_of(*arg), &plain, &e))
			die_err(&e);
		if (plain.n == 0)
			die(100, "unable to parse address: %.400s", *arg);
		addresses_add(list, buf_str(&plain));
	}
	buf_free(&plain);
}

static void put_envelope(struct submit *s, struct str sender, const struct addresses *arguments,
			 const struct addresses *header)
{
	submit_sender(s, sender);
	for (size_t i = 0; i < arguments->n; i++)
		submit_recipient(s, addresses_get(arguments, i));
	for (size_t i = 0; header && i < header->n; i++)
		submit_recipient(s, addresses_get(header, i));
}

static void put_return_path(struct output *out, struct str sender)
{
	struct buf line = BUF_INIT(SIZE_MAX);

	buf_addz(&line, "Return-Path: <");
	quote_address(&line, sender);
	buf_addz(&line, ">\n");
	put(out, buf_str(&line));
	buf_free(&line);
}

static void commit(struct submit *s)
{
	struct submit_result r;

	if (!submit_commit(s, &r))
		die(r.letter == 'D' ? 100 : 111, "%s", r.text);
	submit_close(s);
}

int main(int argc, char **argv)
{
	struct options o = read_options(argc, argv);
	struct input in = { .data = BUF_INIT(HEADER_MAX + CHUNK) };
	struct output out = { .print = o.print, .submit = SUBMIT_INIT };
	struct addresses arguments = ADDRESSES_INIT;
	struct buf sender = BUF_INIT(HEADER_MAX), generated = BUF_INIT(COMPOSE_HEADER_MAX);
	enum header_item header_end;
	struct setup setup;
	struct compose c;
	struct err e;

	signal(SIGPIPE, SIG_IGN);
	if (fcntl(0, F_GETFD) == -1)
		die(111, "read error: %s", errno_text(errno));
	io_open_standard_fds();
	read_setup(&setup);
	compose_init(&c, &setup.facts, o.compose);
	find_argument_recipients(&o, &setup.rules, &arguments);
	header_end = read_header(&in, &c);
	find_sender(&o, &c, &sender);
	if (!compose_generated(&c, &generated, &e))
		die_err(&e);
	if (c.unparsed && o.recipients_from != FROM_ARGUMENTS)
		fprintf(stderr,
			"qmail-inject: warning: %llu recipient field(s) could not be parsed and gave no recipients\n",
			(unsigned long long)c.unparsed);

	if (o.print)
		put_return_path(&out, buf_str(&sender));
	else if (!submit_begin(&out.submit, true, &e))
		die(111, "unable to run qmail-queue: %s", e.text);
	put(&out, buf_str(&generated));
	put(&out, buf_str(&c.kept));
	put_body(&out, &in, header_end);
	if (o.print)
		return 0;
	put_envelope(&out.submit, buf_str(&sender), &arguments,
		     o.recipients_from == FROM_ARGUMENTS ? NULL : compose_recipients(&c));
	commit(&out.submit);
	return 0;
}

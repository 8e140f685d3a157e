#include "pop3/popsession.h"

#include <unistd.h>

#include "pop3/poptext.h"
#include "sys/file.h"

#define OK "+OK \r\n"

static void error(struct buf *out, const char *text)
{
	buf_addf(out, "-ERR %s\r\n", text);
}

/* The message that an argument begins with; an error is said. *argument becomes the rest. */
static bool message_of(const struct popsession *s, struct str *argument, struct buf *out, size_t *i)
{
	uint64_t number;

	if (argument->n == 0 || !chr_digit(argument->p[0]))
		error(out, "syntax error");
	else if (!popcommand_number(argument, &number) || number > s->box->list.n)
		error(out, "not that many messages");
	else if (number == 0)
		error(out, "messages are counted from 1");
	else if (s->box->messages[number - 1].deleted)
		error(out, "already deleted");
	else {
		*i = (size_t)number - 1;
		return true;
	}
	return false;
}

static void do_stat(struct popsession *s, struct str argument, struct buf *out)
{
	uint64_t count = 0, bytes = 0;

	(void)argument;
	for (size_t i = 0; i < s->box->list.n; i++) {
		if (s->box->messages[i].deleted)
			continue;
		count++;
		bytes += popbox_size(s->box, i);
	}
	buf_addf(out, "+OK %llu %llu\r\n", (unsigned long long)count, (unsigned long long)bytes);
}

static void add_entry(struct popsession *s, bool ids, size_t i, struct buf *out)
{
	buf_addu(out, i + 1);
	buf_addc(out, ' ');
	if (ids)
		popbox_uid(s->box, i, out);
	else
		buf_addu(out, popbox_size(s->box, i));
	buf_addz(out, "\r\n");
}

static void list(struct popsession *s, bool ids, struct str argument, struct buf *out)
{
	size_t i;

	if (argument.n) {
		if (!message_of(s, &argument, out, &i))
			return;
		buf_addz(out, "+OK ");
		add_entry(s, ids, i, out);
		return;
	}
	buf_addz(out, OK);
	for (i = 0; i < s->box->list.n && s->relieve(s->ctx); i++)
		if (!s->box->messages[i].deleted)
			add_entry(s, ids, i, out);
	buf_addz(out, ".\r\n");
}

static void do_list(struct popsession *s, struct str argument, struct buf *out)
{
	list(s, false, argument, out);
}

static void do_uidl(struct popsession *s, struct str argument, struct buf *out)
{
	list(s, true, argument, out);
}

/* False: it broke off, and the client must not take what it has for the whole. */
static bool send_text(struct popsession *s, int fd, struct poptext *text, struct buf *out)
{
	/* Large for a stack; one at a time. */
	static char block[32768];
	ssize_t r = 1;

	while (r > 0 && !text->ended && s->relieve(s->ctx)) {
		r = read(fd, block, sizeof block);
		if (r > 0)
			poptext_add(text, (struct str){ block, (size_t)r }, out);
	}
	if (r < 0)
		return false;
	poptext_end(text, out);
	return true;
}

static void do_retr(struct popsession *s, struct str argument, struct buf *out)
{
	struct poptext text = poptext_all();
	uint64_t lines;
	size_t i;
	int fd;

	if (!message_of(s, &argument, out, &i))
		return;
	if (argument.n && popcommand_number(&argument, &lines))
		text = poptext_top(lines);
	fd = popbox_open_message(s->box, i);
	if (fd == -1) {
		error(out, "unable to open that message");
		return;
	}
	buf_addz(out, OK);
	s->ended = !send_text(s, fd, &text, out);
	file_close(fd);
}

static void do_dele(struct popsession *s, struct str argument, struct buf *out)
{
	size_t i;

	if (!message_of(s, &argument, out, &i))
		return;
	s->box->messages[i].deleted = true;
	if (i + 1 > s->last)
		s->last = i + 1;
	buf_addz(out, OK);
}

static void do_rset(struct popsession *s, struct str argument, struct buf *out)
{
	(void)argument;
	for (size_t i = 0; i < s->box->list.n; i++)
		s->box->messages[i].deleted = false;
	s->last = 0;
	buf_addz(out, OK);
}

static void do_last(struct popsession *s, struct str argument, struct buf *out)
{
	(void)argument;
	buf_addf(out, "+OK %llu\r\n", (unsigned long long)s->last);
}

static void do_noop(struct popsession *s, struct str argument, struct buf *out)
{
	(void)s, (void)argument;
	buf_addz(out, OK);
}

static void do_quit(struct popsession *s, struct str argument, struct buf *out)
{
	(void)argument;
	for (size_t failed = popbox_commit(s->box); failed > 0; failed--)
		error(out, "unable to unlink all deleted messages");
	buf_addz(out, OK);
	s->ended = true;
}

/* What CAPA says in every state, without the final dot (RFC 2449). */
static void capabilities(struct buf *out)
{
	buf_addz(out, "TOP\r\nUIDL\r\nUSER\r\nPIPELINING\r\nEXPIRE NEVER\r\nUTF8\r\nIMPLEMENTATION Quillmail\r\n");
}

static void do_capa(struct popsession *s, struct str argument, struct buf *out)
{
	(void)s, (void)argument;
	buf_addz(out, OK);
	capabilities(out);
	buf_addz(out, ".\r\n");
}

void popsession_command(struct popsession *s, struct str line, struct buf *out)
{
	static const struct {
		const char *verb;
		void (*run)(struct popsession *s, struct str argument, struct buf *out);
	} verbs[] = {
		{ "STAT", do_stat }, { "LIST", do_list }, { "UIDL", do_uidl }, { "RETR", do_retr },
		{ "TOP", do_retr },  { "DELE", do_dele }, { "RSET", do_rset }, { "LAST", do_last },
		{ "NOOP", do_noop }, { "CAPA", do_capa }, { "QUIT", do_quit },
	};
	struct popcommand c = popcommand_parse(line);

	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
		if (popcommand_is(&c, verbs[i].verb)) {
			verbs[i].run(s, c.argument, out);
			return;
		}
	}
	error(out, "unimplemented");
}

#include <signal.h>
#include <unistd.h>

#include "rblsmtpd/rblsmtpd.h"
#include "sys/io.h"

#define VERB_MAX 64 /* of a line, no more than this is looked at */
#define NAME "rblsmtpd.local"

struct talk {
	struct str reply;
	struct buf line; /* the beginning of the line that is coming in */
};

static void over(int sig)
{
	(void)sig;
	_exit(0);
}

static void say(const char *code, struct str text)
{
	struct buf out = BUF_INIT(1000);

	buf_addz(&out, code);
	buf_add(&out, text);
	buf_addz(&out, "\r\n");
	if (io_write_all(1, out.p, out.n) == -1)
		_exit(0);
	buf_free(&out);
}

static void answer(struct talk *t)
{
	static const char *const harmless[] = { "helo", "ehlo", "mail", "rset", "noop" };
	struct str line = buf_str(&t->line), verb;

	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	verb = str_head(line, str_chr(line, ' '));
	if (str_ieq(verb, STR("quit"))) {
		say("221 ", STR(NAME));
		_exit(0);
	}
	for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++)
		if (str_ieq(verb, str_of(harmless[i]))) {
			say("250 ", STR(NAME));
			return;
		}
	say("", t->reply);
}

static void take(struct talk *t, struct str data)
{
	for (size_t i = 0; i < data.n; i++) {
		if (data.p[i] == '\n') {
			answer(t);
			buf_clear(&t->line);
		} else if (t->line.n < VERB_MAX) {
			buf_addc(&t->line, data.p[i]);
		}
	}
}

_Noreturn void rejection(struct str reply, unsigned seconds)
{
	struct talk t = { reply, BUF_INIT(VERB_MAX) };
	char chunk[1024];
	ssize_t r;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGALRM, over);
	if (seconds == 0) {
		say("", reply);
		_exit(0);
	}
	alarm(seconds);
	say("220 ", STR(NAME));
	while ((r = io_read(0, chunk, sizeof chunk)) > 0)
		take(&t, (struct str){ chunk, (size_t)r });
	_exit(0);
}

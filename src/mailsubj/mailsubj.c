/*
 * mailsubj SUBJECT RECIPIENT…: sends the standard input as a mail with this
 * subject (contract §14.2). Exit code: that of qmail-inject.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "filter/child.h"
#include "filter/tool.h"
#include "sys/home.h"

#define ME "mailsubj"
#define HEADER_MAX (4u << 20)

/* Callers put words of strangers in their arguments: these must not begin another field. */
static void add_word(struct buf *header, const char *word)
{
	for (; *word; word++)
		buf_addc(header, *word == '\n' || *word == '\r' ? ' ' : *word);
}

int main(int argc, char **argv)
{
	struct buf header = BUF_INIT(HEADER_MAX);
	char *command[] = { NULL, NULL };
	struct err e;
	int code;

	if (argc < 2)
		tool_usage(ME, "subject recipient ...");
	if (!home_open(&e))
		tool_die(ME, 111, "%s", e.text);
	buf_addz(&header, "Subject: ");
	add_word(&header, argv[1]);
	buf_addz(&header, "\nTo:");
	for (int i = 2; i < argc; i++) {
		buf_addc(&header, ' ');
		add_word(&header, argv[i]);
	}
	buf_addz(&header, "\n\n");
	if (!buf_ok(&header))
		tool_die(ME, 100, "the arguments are too long");
	command[0] = mem_copy(str_of(home_program("qmail-inject")));
	if (!child_feed(ME, command, buf_str(&header), 0, &code, &e))
		tool_fail(ME, &e);
	if (code == CHILD_CRASHED)
		tool_die(ME, 111, "child crashed");
	free(command[0]);
	buf_free(&header);
	return code;
}

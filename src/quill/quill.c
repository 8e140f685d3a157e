#include "quill/quill.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sys/home.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *arguments, *what;
} commands[] = {
	{ "init", quill_init, "DIR [--me NAME] [--smtp ADDR:PORT]...", "make a home for a mail system" },
	{ "up", quill_up, "[DIR]", "run everything in it, in the foreground" },
	{ "status", quill_status, "[DIR]", "is it running, and how much is in the queue?" },
	{ "queue", quill_queue, "[list|show|hold|release|retry|remove|bounce|edit|requeue] ...",
	  "what waits, and what becomes of it" },
	{ "trace", quill_trace, "[-C DIR] NUMBER|ADDRESS|MESSAGE-ID|TRACE [LOG...]", "the whole way of a message" },
	{ "why", quill_why, "[-C DIR] ADDRESS", "what would happen to mail for an address" },
	{ "user", quill_user, "add|list|remove|passwd|quota|alias ...", "mailboxes without system accounts" },
	{ "dns", quill_dns, "[-C DIR] NAME [TYPE]", "look a name up as the mail system does" },
	{ "upgrade-check", quill_upgrade, "[--json] [--service DIR]... [DIR]",
	  "what of an existing qmail would be used, and what not" },
	{ "setup", quill_setup, "[--print] [DIR]", "make the accounts, and give what is installed to them" },
	{ "check", quill_check, "[DIR]", "look for mistakes in the configuration" },
};

int quill_fail(int code, const char *fmt, ...)
{
	va_list ap;

	fputs("quill: fatal: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return code;
}

int quill_choose_home(int argc, char **argv)
{
	struct err e;

	if (argc > 1)
		return quill_fail(100, "one directory at most, please");
	if (argc == 1)
		setenv("QMAILHOME", argv[0], 1);
	return home_enter(&e) ? 0 : quill_fail(111, "%s", e.text);
}

static int usage(FILE *to, int code)
{
	fputs("usage: quill COMMAND\n\n", to);
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		fprintf(to, "  quill %-6s %-40s %s\n", commands[i].name, commands[i].arguments, commands[i].what);
	fputs("\nWithout DIR the home is $QMAILHOME, else the one compiled in.\n", to);
	return code;
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return usage(stderr, 100);
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 2, argv + 2);
	return usage(strcmp(argv[1], "--help") == 0 ? stdout : stderr, strcmp(argv[1], "--help") == 0 ? 0 : 100);
}

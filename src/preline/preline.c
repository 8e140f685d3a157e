/*
 * preline [ -frdFRD ] COMMAND…: gives the command the message with From_,
 * Return-Path and Delivered-To lines in front (contract §18). Exit code: the
 * command's; 100 when it cannot be run, 111 when it crashed.
 */
#include <unistd.h>

#include "base/exitcode.h"
#include "filter/child.h"
#include "filter/preline_head.h"
#include "filter/tool.h"
#include "sys/options.h"

#define ME "preline"
#define HEAD_MAX (1u << 20)

static _Noreturn void usage(void)
{
	tool_usage(ME, "cmd [ arg ... ]");
}

static void read_options(int argc, char **argv, struct preline_head *wanted)
{
	int c;

	while ((c = options_next(argc, argv, "frdFRD")) != -1) {
		switch (c) {
		case 'f':
		case 'F':
			wanted->from = c == 'F';
			break;
		case 'r':
		case 'R':
			wanted->return_path = c == 'R';
			break;
		case 'd':
		case 'D':
			wanted->delivered_to = c == 'D';
			break;
		default:
			usage();
		}
	}
}

int main(int argc, char **argv)
{
	struct preline_head wanted = { true, true, true };
	struct buf head = BUF_INIT(HEAD_MAX);
	struct err e;
	int code;

	read_options(argc, argv, &wanted);
	if (optind >= argc || !preline_head(&wanted, &head))
		usage();
	if (!child_feed(ME, argv + optind, buf_str(&head), 0, &code, &e))
		tool_fail(ME, &e);
	if (code == CHILD_CRASHED)
		tool_die(ME, EXIT_TEMPORARY, "child crashed");
	buf_free(&head);
	return code;
}

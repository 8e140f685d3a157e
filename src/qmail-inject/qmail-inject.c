/*
 * qmail-inject: completes a new message and puts it into the queue
 * (contract §13).
 *
 * usage: qmail-inject [ -nNaAhH ] [ -f sender ] [ recipient ... ]
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "inject/inject.h"
#include "sys/options.h"

static struct inject_request read_options(int argc, char **argv)
{
	struct inject_request r = { .recipients_from = INJECT_EITHER };
	int c;

	while ((c = options_next(argc, argv, "aAhHnNf:")) != -1) {
		switch (c) {
		case 'a':
			r.recipients_from = INJECT_ARGUMENTS;
			break;
		case 'h':
			r.recipients_from = INJECT_HEADER;
			break;
		case 'A':
			r.recipients_from = INJECT_EITHER;
			break;
		case 'H':
			r.recipients_from = INJECT_BOTH;
			break;
		case 'n':
		case 'N':
			r.print = c == 'n';
			break;
		case 'f':
			r.sender = optarg;
			break;
		default:
			exit(100);
		}
	}
	r.recipients = (const char *const *)argv + optind;
	return r;
}

int main(int argc, char **argv)
{
	struct inject_request request = read_options(argc, argv);
	struct err e;

	if (inject_run(&request, &e))
		return 0;
	fprintf(stderr, "qmail-inject: fatal: %s\n", e.text);
	return err_exit_code(&e);
}

/*
 * qmail-local [ -nN ] user homedir local dash ext domain sender default
 *
 * One delivery of the message on descriptor 0 (contract §10.1). -n describes
 * what would be done. Exit 0, 100 for good, 111 for now.
 */
#include <stdio.h>
#include <unistd.h>

#include "local/local.h"
#include "sys/home.h"
#include "sys/io.h"
#include "sys/options.h"

static int usage(void)
{
	fputs("qmail-local: usage: qmail-local [ -nN ] user homedir local dash ext domain sender aliasempty\n", stderr);
	return 100;
}

static void say(const struct local_report *r)
{
	if (r->out.n)
		io_write_all(1, r->out.p, r->out.n);
	if (r->err.n)
		io_write_all(2, r->err.p, r->err.n);
}

int main(int argc, char **argv)
{
	struct local_report report = LOCAL_REPORT_INIT;
	struct local_job job = { .message_fd = 0 };
	struct err e;
	int opt, code;

	io_open_standard_fds();
	while ((opt = options_next(argc, argv, "nN")) != -1) {
		if (opt == '?')
			return usage();
		job.describe = opt == 'n';
	}
	argv += optind;
	if (argc - optind != 8 || argv[1][0] != '/')
		return usage();
	job.user = argv[0];
	job.home = argv[1];
	job.local = argv[2];
	job.dash = argv[3];
	job.ext = argv[4];
	job.host = argv[5];
	job.sender = argv[6];
	job.default_delivery = argv[7];
	/* Only forwards need the home; without it they fail and say so. */
	(void)home_open(&e);
	code = local_deliver(&job, &report);
	say(&report);
	buf_free(&report.out);
	buf_free(&report.err);
	return code;
}

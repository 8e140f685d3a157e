/* Deliveries in this process: what each part does on a real file system. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "local/dotfile.h"
#include "local/forward.h"
#include "local/leftover.h"
#include "local/local.h"
#include "local/maildir.h"
#include "local/mbox.h"
#include "sys/home.h"
#include "testing/testplace.h"

static struct message message;

static void put_file(const char *name, const char *text, mode_t mode)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	fchmod(fd, mode);
	close(fd);
}

static void file_is(const char *name, const char *expected)
{
	char text[4096];
	int fd = open(name, O_RDONLY);
	ssize_t n = read(fd, text, sizeof text - 1);

	assert_true(n >= 0);
	text[n] = 0;
	assert_string_equal(text, expected);
	close(fd);
}

static int message_of(const char *text)
{
	int fd = memfd_create("message", MFD_CLOEXEC);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	return fd;
}

/* What dotfile_find says: the file's content, '*' for executable, DEFAULT. */
static void finds(const char *dash, const char *ext, const char *expected)
{
	struct dotfile f = DOTFILE_INIT;
	struct buf b = BUF_INIT(1000);
	struct err e;

	assert_true(dotfile_find(&f, str_of(dash), str_of(ext), &e));
	if (f.found)
		buf_addf(&b, "%s%s", buf_cstr(&f.content), f.executable ? "*" : "");
	if (f.default_set)
		buf_addf(&b, "[%.*s]", STR_ARG(f.default_part));
	assert_string_equal(buf_cstr(&b), expected);
	buf_free(&b);
	dotfile_free(&f);
}

static void search_for_files(void **state)
{
	struct dotfile f = DOTFILE_INIT;
	bool exists;
	struct err e;

	(void)state;
	finds("", "", "");
	put_file(".qmail", "basic", 0744);
	put_file(".qmail-a:b", "dots", 0644);
	put_file(".qmail-a-default", "a-default", 0644);
	finds("", "", "basic*");
	finds("-", "A.b", "dots");
	finds("-", "a-X.y-Z", "a-default[X.y-Z]");
	finds("-", "a-default", "a-default[default]");
	finds("-", "b", "");
	finds("-", "a/b", "");
	mkdir(".qmail-", 0700);
	put_file(".qmail-/sub", "below", 0644);
	finds("-/", "sub", "below");
	finds("-", "/sub", "");
	assert_true(dotfile_exists(STR("-"), STR("A"), STR("-default"), &exists, &e));
	assert_true(exists);
	assert_true(dotfile_exists(STR("-"), STR("b"), STR("-default"), &exists, &e));
	assert_false(exists);
	put_file(".qmail-w", "x", 0646);
	assert_false(dotfile_find(&f, STR("-"), STR("w"), &e));
	assert_string_equal(e.text, "Uh-oh: .qmail file is writable. (#4.7.0)");
	dotfile_free(&f);
}

static struct local_job job_for(int fd)
{
	return (struct local_job){
		.user = "joe",
		.home = testplace(),
		.local = "joe",
		.dash = "",
		.ext = "",
		.host = "h.test",
		.sender = "s@x",
		.default_delivery = "./Maildir/",
		.message_fd = fd,
	};
}

static void delivered(const struct local_job *job, int code, const char *out, const char *err)
{
	struct local_report r = LOCAL_REPORT_INIT;

	assert_int_equal(local_deliver(job, &r), code);
	assert_string_equal(buf_cstr(&r.out), out);
	assert_string_equal(buf_cstr(&r.err), err);
	buf_free(&r.out);
	buf_free(&r.err);
}

static void one_message_to_everything(void **state)
{
	int fd = message_of("Subject: x\n\nFrom me\n");
	struct local_job job = job_for(fd);

	(void)state;
	put_file(".qmail", "./box\n|cat >copy\n|exit 99\n./never\n", 0644);
	delivered(&job, LOCAL_OK, "did 1+0+2\n", "");
	file_is("copy", "Subject: x\n\nFrom me\n");
	assert_int_equal(access("never", F_OK), -1);
	job.describe = true;
	delivered(&job, LOCAL_OK, "mbox ./box\nprogram cat >copy\nprogram exit 99\nmbox ./never\ndid 2+0+2\n", "");
	close(fd);
}

static void addresses_are_bounded(void **state)
{
	static char huge[LOCAL_ADDRESS_MAX + 2];
	int fd = message_of("x\n");
	struct local_job job = job_for(fd);

	(void)state;
	memset(huge, '"', sizeof huge - 1);
	job.sender = huge;
	delivered(&job, LOCAL_PERMANENT, "", "Sorry, that address is too long. (#5.1.3)\n");
	huge[LOCAL_ADDRESS_MAX] = 0;
	put_file(".qmail", "./box\n", 0644);
	job.local = huge;
	job.host = huge;
	delivered(&job, LOCAL_OK, "did 1+0+0\n", "");
	close(fd);
}

static void forwards_go_to_the_queue(void **state)
{
	int fd = message_of("Subject: x\n\n");
	const struct str to[] = { STR("a@b"), STR("c d@e") };
	const struct forward f = { "s@x", STR("Delivered-To: me\n"), to, 2, NULL };
	struct err e;
	pid_t qp = 0;

	(void)state;
	put_file("queue", "#!/bin/sh\ncat >message; tr '\\000' ' ' <&1 >envelope; exit $(cat status)\n", 0755);
	put_file("status", "0", 0644);
	setenv("QMAILHOME", testplace(), 1);
	setenv("QMAILQUEUE", "./queue", 1);
	assert_true(home_open(&e));
	assert_true(message_open(&message, fd, &e));
	assert_true(forward_send(&f, &message, &qp, &e));
	assert_true(qp > 0);
	file_is("message", "Delivered-To: me\nSubject: x\n\n");
	file_is("envelope", "Fs@x Ta@b Tc d@e  ");
	put_file("status", "31", 0644);
	assert_false(forward_send(&f, &message, &qp, &e));
	assert_int_equal(e.kind, ERR_PERMANENT);
	assert_string_equal(e.text, "Unable to forward message: mail server permanently rejected message (#5.3.0).");
	put_file("status", "53", 0644);
	assert_false(forward_send(&f, &message, &qp, &e));
	assert_int_equal(e.kind, ERR_TEMPORARY);
	close(fd);
}

static void mbox_entries(void **state)
{
	int fd = message_of("Subject: x\n\nFrom me");
	struct err e;

	(void)state;
	assert_true(message_open(&message, fd, &e));
	assert_true(mbox_deliver("box", STR("From a\n"), &message, &e));
	assert_true(mbox_deliver("box", STR("From b\n"), &message, &e));
	file_is("box", "From a\nSubject: x\n\n>From me\n\nFrom b\nSubject: x\n\n>From me\n\n");
	put_file("box", "torn", 0600);
	assert_true(mbox_deliver("box", STR("From a\n"), &message, &e));
	file_is("box", "torn\n\nFrom a\nSubject: x\n\n>From me\n\n");
	assert_false(mbox_deliver(".", STR("From a\n"), &message, &e));
	assert_string_equal(e.text, "Unable to open .: is a directory. (#4.2.1)");
	close(fd);
}

static void maildir_names(void **state)
{
	struct buf a = BUF_INIT(1000), b = BUF_INIT(1000);

	(void)state;
	maildir_name(&a);
	maildir_name(&b);
	assert_false(str_eq(buf_str(&a), buf_str(&b)));
	assert_int_equal(str_chr(buf_str(&a), '/'), a.n);
	assert_int_equal(str_chr(buf_str(&a), ':'), a.n);
	buf_free(&a);
	buf_free(&b);
}

static void hostile_host_names_are_escaped(void **state)
{
	struct buf b = BUF_INIT(1000);

	(void)state;
	if (unshare(CLONE_NEWUTS) == -1)
		skip();
	assert_int_equal(sethostname("a/b:c", 5), 0);
	maildir_name(&b);
	assert_true(str_ends(buf_str(&b), STR(".a\\057b\\072c")));
	buf_free(&b);
}

static bool keep_one(void *ctx, pid_t pid)
{
	return pid == *(const pid_t *)ctx;
}

static void leftovers_are_killed(void **state)
{
	pid_t kept, other;

	(void)state;
	assert_true(leftover_adopt());
	kept = fork();
	if (kept == 0)
		for (;;)
			pause();
	/* A child whose own child is an orphan in another session. */
	other = fork();
	if (other == 0) {
		if (fork() == 0) {
			setsid();
			for (;;)
				pause();
		}
		_exit(0);
	}
	assert_int_equal(waitpid(other, NULL, 0), other);
	assert_true(leftover_kill(keep_one, &kept));
	assert_int_equal(kill(kept, 0), 0);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), 0);
	assert_true(leftover_kill(NULL, NULL));
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(search_for_files, testplace_begin, testplace_end),
		cmocka_unit_test_setup_teardown(one_message_to_everything, testplace_begin, testplace_end),
		cmocka_unit_test_setup_teardown(addresses_are_bounded, testplace_begin, testplace_end),
		cmocka_unit_test_setup_teardown(forwards_go_to_the_queue, testplace_begin, testplace_end),
		cmocka_unit_test_setup_teardown(mbox_entries, testplace_begin, testplace_end),
		cmocka_unit_test(maildir_names),
		cmocka_unit_test(hostile_host_names_are_escaped),
		cmocka_unit_test(leftovers_are_killed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

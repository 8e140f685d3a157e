/*
 * qmail-lspawn default: runs local deliveries for qmail-send (contract §9.2).
 *
 * `default` is what is done where there is no .qmail file. Requests come over
 * run/lspawn (descriptor 3), questions of qmail-smtpd whether an address exists
 * over run/recipient (descriptor 4). Ends on SIGTERM when the running deliveries have
 * ended. control/overquota: what becomes of mail for which a mailbox has no room;
 * control/timeoutlocal: seconds that a program may take;
 * control/processeslocal and control/memorylocal: processes of one user and
 * bytes of one process.
 */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "conf/control.h"
#include "local/leftover.h"
#include "qmail-lspawn/lspawn.h"
#include "sandbox/sandbox.h"
#include "sys/home.h"
#include "sys/io.h"
#include "sys/service.h"

#define NAME "qmail-lspawn"

/* Its children become users and run what those like. */
static const struct sandbox_rights rights = { .name = NAME, .may = SANDBOX_PROGRAMS };

/* control/overquota: what becomes of mail for which there is no room. */
static bool read_overquota(bool *bounce, struct err *e)
{
	struct buf line = BUF_INIT(CONTROL_FILE_MAX);
	bool ok = control_line_or("overquota", "defer", &line, e);

	*bounce = ok && str_ieq(buf_str(&line), STR("bounce"));
	if (ok && !*bounce && !str_ieq(buf_str(&line), STR("defer")))
		ok = err_perm(e, "control/overquota must say defer or bounce");
	buf_free(&line);
	return ok;
}

static bool read_limits(struct program_limits *limits, bool root, struct err *e)
{
	uint64_t seconds = 1200;

	*limits = (struct program_limits){ .memory = 2ull << 30 };
	/* An ordinary user has processes that are none of mail's business. */
	limits->processes = root ? 1000 : 0;
	if (!control_number("timeoutlocal", &seconds, e) || !control_number("processeslocal", &limits->processes, e) ||
	    !control_number("memorylocal", &limits->memory, e))
		return false;
	limits->seconds = seconds < 1000000 ? (unsigned)seconds : 1000000;
	return true;
}

/*
 * The account's uid; our own where it does not exist: then only root may
 * send requests. Asked by a child, because the C library may load a
 * handful of libraries to answer, which each fork of a delivery would copy.
 */
static uid_t find_uid(enum account which, uid_t own)
{
	uid_t uid = own;
	int ends[2];
	pid_t child;

	if (own != 0 || io_pipe(ends) == -1)
		return own;
	child = fork();
	if (child == 0) {
		const struct passwd *pw = getpwnam(account_name(which));

		_exit(pw == NULL || io_write_all(ends[1], &pw->pw_uid, sizeof pw->pw_uid) == -1);
	}
	close(ends[1]);
	if (child == -1 || io_read(ends[0], &uid, sizeof uid) != (ssize_t)sizeof uid)
		uid = own;
	close(ends[0]);
	while (child != -1 && waitpid(child, NULL, 0) == -1 && errno == EINTR)
		;
	return uid;
}

/*
 * A change of the table of mailboxes that a crash has interrupted must be
 * taken back by somebody who may write, before it can be read. SQLite is not
 * for this process.
 */
static void repair_mailboxes(void)
{
	const char *program = home_program("quill");
	pid_t child;

	if (access("users/mailboxes.sqlite-journal", F_OK) == -1 && access("users/mailboxes.sqlite-wal", F_OK) == -1)
		return;
	child = fork();
	if (child == 0) {
		int null = open("/dev/null", O_WRONLY);

		if (null != -1)
			dup2(null, 1);
		execl(program, program, "user", "list", (char *)NULL);
		service_log(NAME, "unable to run %s: %s", program, errno_text(errno));
		_exit(111);
	}
	while (child != -1 && waitpid(child, NULL, 0) == -1 && errno == EINTR)
		;
}

/* The signals of the loop, as a descriptor. */
static int catch_signals(void)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_SETMASK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/*
 * A message is safe once it is accepted; delivering it can wait. Where there
 * is not processor time enough for both, senders must not wait for mailboxes.
 */
static void yield_to_acceptance(void)
{
	setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + LSPAWN_NICE);
}

static bool start(struct lspawn *l, struct err *e)
{
	struct buf alias = BUF_INIT(8192);
	mode_t mode;
	int questions;

	for (size_t i = 0; i < LSPAWN_CONNECTIONS; i++)
		l->connections[i].fd = -1;
	yield_to_acceptance();
	l->uid = getuid();
	l->root = l->uid == 0;
	mode = l->root ? 0666 : 0600;
	l->send_uid = find_uid(ACCOUNT_SEND, l->uid);
	l->recipients.daemon_uid = find_uid(ACCOUNT_DAEMON, l->uid);
	/*
	 * Whoever connects is asked for his uid, see lspawn_loop.c and lspawn_recipient.c. The second socket comes
	 * first: where none is inherited, the other could get its descriptor.
	 */
	if (!home_enter(e) || !service_listen_also(SERVICE_FD + 1, "recipient", UNIXSOCK_PACKET, mode, &questions, e) ||
	    !service_start("lspawn", UNIXSOCK_PACKET, mode, &l->listenfd, e) || !recipients_start(l, questions, e) ||
	    !read_limits(&l->limits, l->root, e) || !read_overquota(&l->bounce_full, e) || !sandbox_enter(&rights, e))
		return false;
	repair_mailboxes();
	buf_addf(&alias, "%s/alias", home_path());
	l->own_alias = mem_copy(buf_str(&alias));
	buf_free(&alias);
	l->signalfd = catch_signals();
	leftover_adopt();
	return l->signalfd != -1 || err_temp(e, "unable to catch signals");
}

int main(int argc, char **argv)
{
	/* Large; a static one costs fork nothing where it is unused. */
	static struct lspawn l;
	struct err e;

	io_open_standard_fds();
	if (argc < 2)
		return 100;
	l.default_delivery = argv[1];
	if (!start(&l, &e)) {
		service_log(NAME, "fatal: %s", e.text);
		return 111;
	}
	service_ready();
	lspawn_loop(&l);
	cdbfile_close(&l.users);
	free(l.own_alias);
	return 0;
}

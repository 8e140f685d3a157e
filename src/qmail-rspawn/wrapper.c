#include "qmail-rspawn/wrapper.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "outbound/remotereport.h"
#include "sys/io.h"

#define OUTPUT_MAX (1u << 20)
#define FILES_MAX 1024

struct wrapper {
	struct job *job;
	int content; /* a copy with an offset of its own */
	uint32_t recipient;
	pid_t pid; /* 0: none runs */
	int from;  /* its descriptor 1, -1: closed */
	struct event *readable;
	struct buf output;
};

const char *wrapper_program(void)
{
	const char *program = getenv("QMAILREMOTE");

	return program && *program ? program : NULL;
}

void wrapper_free(struct wrapper *w)
{
	if (w == NULL)
		return;
	if (w->readable)
		event_free(w->readable);
	if (w->from != -1)
		close(w->from);
	if (w->content != -1)
		close(w->content);
	buf_free(&w->output);
	free(w);
}

/* Other deliveries read the same open file; it may also be one that the program's user could not open again. */
static int copy_content(const struct job *j)
{
	static char piece[65536];
	int fd = memfd_create("message", MFD_CLOEXEC);
	uint64_t offset = 0;
	ssize_t n;

	while (fd != -1 && (n = job_read(j, offset, piece, sizeof piece)) != 0) {
		if (n == -1 || io_write_all(fd, piece, (size_t)n) == -1) {
			close(fd);
			return -1;
		}
		offset += (uint64_t)n;
	}
	return fd;
}

static void __attribute__((noreturn)) run(const struct wrapper *w, int to)
{
	const struct delivery_request *q = &w->job->request;
	const char *program = wrapper_program();
	char *arguments[] = { mem_copy(str_of(program)), mem_copy(q->host), mem_copy(q->sender),
			      mem_copy(q->recipients[w->recipient]), NULL };
	struct rlimit files;

	signal(SIGPIPE, SIG_DFL);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur > FILES_MAX) {
		files.rlim_cur = FILES_MAX;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	if (dup2(w->content, 0) == -1 || dup2(to, 1) == -1)
		_exit(111);
	execvp(program, arguments);
	_exit(errno_temporary(errno) ? 111 : 100);
}

static void on_output(evutil_socket_t fd, short what, void *ctx);

static bool spawn(struct wrapper *w)
{
	int ends[2];

	if (lseek(w->content, 0, SEEK_SET) == -1 || pipe2(ends, O_CLOEXEC) == -1)
		return false;
	w->pid = fork();
	if (w->pid == 0)
		run(w, ends[1]);
	close(ends[1]);
	if (w->pid == -1) {
		w->pid = 0;
		close(ends[0]);
		return false;
	}
	w->from = ends[0];
	w->readable = event_new(w->job->r->base, w->from, EV_READ | EV_PERSIST, on_output, w);
	event_add(w->readable, NULL);
	return true;
}

/* True: this recipient needs no program, and has its report. */
static bool without_program(struct job *j, uint32_t recipient)
{
	if (transaction_address_valid(j->request.sender) && transaction_address_valid(j->request.recipients[recipient]))
		return false;
	job_report(j, recipient, 'D', STR("This address cannot be sent by SMTP. (#5.1.3)\n"));
	return true;
}

static void run_next(struct wrapper *w)
{
	struct job *j = w->job;

	for (; w->recipient < j->request.nrecipients && !sender_gone(j->sender); w->recipient++) {
		if (without_program(j, w->recipient))
			continue;
		if (w->content != -1 && spawn(w))
			return;
		job_report(j, w->recipient, 'Z', STR("Unable to run qmail-remote.\n"));
	}
	job_end(j);
}

static void report(struct wrapper *w, int status)
{
	struct buf text = BUF_INIT(DELIVERY_REPORT_MAX);
	char letter = remote_report(status, buf_str(&w->output), &text);

	job_report(w->job, w->recipient++, letter, buf_str(&text));
	buf_free(&text);
	buf_clear(&w->output);
	w->pid = 0;
	run_next(w);
}

/* A program is done when it has closed its output and ended. */
static void check(struct wrapper *w)
{
	int status;

	if (w->pid && w->from == -1 && waitpid(w->pid, &status, WNOHANG) == w->pid)
		report(w, status);
}

static void on_output(evutil_socket_t fd, short what, void *ctx)
{
	struct wrapper *w = ctx;
	char piece[4096];
	ssize_t n = read(fd, piece, sizeof piece);

	(void)what;
	if (n > 0 && w->output.n + (size_t)n <= OUTPUT_MAX)
		buf_add(&w->output, (struct str){ piece, (size_t)n });
	if (n > 0 || (n == -1 && errno == EINTR))
		return;
	event_free(w->readable);
	w->readable = NULL;
	close(w->from);
	w->from = -1;
	check(w);
}

void wrapper_reap(struct rspawn *r)
{
	struct job *next;

	for (struct job *j = r->first_job; j; j = next) {
		next = j->next;
		if (j->wrapper)
			check(j->wrapper);
	}
}

void wrapper_start(struct job *j)
{
	struct wrapper *w = mem_zero(1, sizeof *w);

	w->job = j;
	w->from = -1;
	w->output = BUF_INIT(OUTPUT_MAX);
	w->content = copy_content(j);
	j->wrapper = w;
	run_next(w);
}

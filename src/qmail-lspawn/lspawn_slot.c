/*
 * Deliveries from request to result.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "local/leftover.h"
#include "local/outcome.h"
#include "qmail-lspawn/lspawn.h"
#include "sys/clock.h"
#include "sys/home.h"
#include "sys/io.h"
#include "sys/service.h"
#include "sys/unixsock.h"
#include "users/userdb.h"

/* Output beyond what is reported is read and forgotten, up to this; then the program loses its reader. */
#define OUTPUT_LIMIT (16u << 20)
/* More than programs get, so that the delivery itself can report that its program took too long. */
#define GRACE_SECONDS 30

static struct slot *free_slot(struct lspawn *l)
{
	for (size_t i = 0; i < l->top; i++)
		if (!l->slots[i].used)
			return &l->slots[i];
	return l->top < LSPAWN_SLOTS ? &l->slots[l->top++] : NULL;
}

static struct slot *slot_of(struct lspawn *l, pid_t pid)
{
	for (size_t i = 0; i < l->top; i++)
		if (l->slots[i].used && l->slots[i].pid == pid)
			return &l->slots[i];
	return NULL;
}

static void release(struct slot *s)
{
	buf_free(&s->output);
	buf_free(&s->result);
	s->used = false;
}

static struct connection *connection_of(struct lspawn *l, uint64_t serial)
{
	for (size_t i = 0; i < LSPAWN_CONNECTIONS; i++)
		if (l->connections[i].fd != -1 && l->connections[i].serial == serial)
			return &l->connections[i];
	return NULL;
}

/* Sends the slot's result and frees it; leaves it when the socket is full. */
static void send_result(struct lspawn *l, struct slot *s)
{
	struct connection *c = connection_of(l, s->connection);

	/* qmail-send has gone; it will try this recipient again. */
	if (c == NULL || unixsock_send(c->fd, buf_str(&s->result), -1) == 0 || errno != EAGAIN)
		release(s);
	else
		c->blocked = true;
}

void lspawn_send_results(struct lspawn *l, struct connection *c)
{
	c->blocked = false;
	for (size_t i = 0; i < l->top && !c->blocked; i++)
		if (l->slots[i].used && l->slots[i].pid == 0 && l->slots[i].connection == c->serial)
			send_result(l, &l->slots[i]);
}

static void make_result(struct slot *s, char letter, struct str text)
{
	const struct delivery_result r = { .id = s->id, .letter = letter, .text = text };

	s->pid = 0;
	delivery_put_result(&s->result, &r);
}

/* The end of a delivery that needed no process. */
static void answer(struct lspawn *l, struct slot *s, const char *report)
{
	make_result(s, *report, str_of(report + 1));
	send_result(l, s);
}

void slot_read(struct slot *s)
{
	/* Shared by all deliveries; its content does not outlive a call. */
	static char block[16384];
	ssize_t r;

	while (s->pipe != -1 && (r = read(s->pipe, block, sizeof block)) != -1) {
		size_t room = OUTCOME_OUTPUT_MAX - s->output.n;

		buf_add(&s->output, str_head((struct str){ block, (size_t)r }, room));
		s->output_n += (size_t)r;
		if (r == 0 || s->output_n > OUTPUT_LIMIT) {
			close(s->pipe);
			s->pipe = -1;
		}
		if ((size_t)r < sizeof block)
			break;
	}
}

static void finish(struct lspawn *l, struct slot *s, int status)
{
	struct buf text = BUF_INIT(DELIVERY_REPORT_MAX);
	char letter;

	slot_read(s);
	if (s->pipe != -1)
		close(s->pipe);
	s->pipe = -1;
	letter = outcome_report(status, buf_str(&s->output), &text);
	make_result(s, letter, buf_str(&text));
	buf_free(&text);
	send_result(l, s);
}

/*
 * A process stays unreaped until its group has been killed: until then the
 * group's number cannot be another's.
 */
void lspawn_reap(struct lspawn *l)
{
	siginfo_t info = { .si_pid = 0 };

	while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0) {
		struct slot *s = slot_of(l, info.si_pid);
		int status = SIGKILL;

		if (s)
			kill(-info.si_pid, SIGKILL);
		waitpid(info.si_pid, &status, WNOHANG);
		l->orphans = l->orphans || s == NULL || !WIFEXITED(status);
		if (s)
			finish(l, s, status);
		info.si_pid = 0;
	}
}

static bool is_delivery(void *ctx, pid_t pid)
{
	return slot_of(ctx, pid) != NULL;
}

void lspawn_timers(struct lspawn *l, int64_t now)
{
	int64_t limit = ((int64_t)l->limits.seconds + GRACE_SECONDS) * 1000;

	if (l->orphans)
		l->orphans = !leftover_kill(is_delivery, l);
	if (l->limits.seconds == 0)
		return;
	for (size_t i = 0; i < l->top; i++) {
		struct slot *s = &l->slots[i];

		if (!s->used || s->pid == 0 || s->killed || now < s->started + limit)
			continue;
		kill(-s->pid, SIGKILL);
		s->killed = true;
	}
}

void lspawn_kill_all(struct lspawn *l)
{
	for (size_t i = 0; i < l->top; i++)
		if (l->slots[i].used && l->slots[i].pid != 0)
			kill(-l->slots[i].pid, SIGKILL);
}

/* The database as it is now; false: it cannot be read, and must not be taken for empty. */
static bool users_ready(struct lspawn *l, struct err *e)
{
	if (l->users_open)
		return cdbfile_refresh(&l->users, e);
	l->users_open = cdbfile_open(&l->users, home_dir(), "users/cdb", e);
	return l->users_open;
}

static enum owner_status look_up(struct lspawn *l, struct str local, struct owner *o)
{
	enum owner_status status = OWNER_DATABASE;
	struct err e = { .text = "" };

	if (users_ready(l, &e))
		status = userdb_find(&l->users, local, o, &e);
	if (status == OWNER_DATABASE)
		service_log("qmail-lspawn", "%s", e.text);
	if (status == OWNER_FOUND && !l->root && o->uid != l->uid)
		service_log("qmail-lspawn", "users/cdb: uid %lu is not mine and I am not root: %s",
			    (unsigned long)o->uid, o->user);
	return status;
}

/* Forks the delivery; NULL when it runs, else the report. */
static const char *start(struct lspawn *l, struct slot *s, struct child_job *job)
{
	int ends[2];

	if (io_pipe(ends) == -1)
		return "Zqmail-spawn unable to create pipe. (#4.3.0)\n";
	job->report = ends[1];
	s->pid = fork();
	if (s->pid == 0)
		lspawn_child(l, job);
	close(ends[1]);
	if (s->pid == -1) {
		close(ends[0]);
		return "Zqmail-spawn unable to fork. (#4.3.0)\n";
	}
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	s->pipe = ends[0];
	s->started = clock_monotonic_ms();
	return NULL;
}

/* NULL when the delivery runs, else the report. */
static const char *deliver(struct lspawn *l, struct slot *s, const struct delivery_request *r, int message)
{
	struct child_job job = { .request = r, .message = message };
	struct owner owner = OWNER_INIT;
	struct str recipient = r->recipients[0];
	size_t at = str_rchr(recipient, '@');
	const char *report;

	if (at == recipient.n)
		return "DSorry, address must include host name. (#5.1.3)\n";
	if (at == 0)
		return "K";
	if (str_chr(recipient, 0) < recipient.n || str_chr(r->sender, 0) < r->sender.n)
		return "DSorry, address must not contain a NUL byte. (#5.1.3)\n";
	if (message == -1)
		return "Zqmail-spawn unable to open message. (#4.3.0)\n";
	job.local = str_head(recipient, at);
	job.host = str_from(recipient, at + 1);
	job.known = look_up(l, job.local, &owner);
	job.owner = &owner;
	if (job.known == OWNER_DATABASE)
		report = "ZTrouble reading users/cdb in qmail-lspawn.\n";
	else
		report = start(l, s, &job);
	owner_free(&owner);
	return report;
}

bool lspawn_request(struct lspawn *l, struct connection *c, struct str packet, int passfd)
{
	/* Large for a stack; used by one request at a time. */
	static struct delivery_request request;
	bool ok = delivery_get_request(packet, &request) && request.nrecipients == 1;
	struct slot *s = ok ? free_slot(l) : NULL;
	const char *report;

	if (s) {
		*s = (struct slot){
			.used = true,
			.pipe = -1,
			.id = request.id,
			.connection = c->serial,
			.output = BUF_INIT(OUTCOME_OUTPUT_MAX),
			.result = BUF_INIT(UNIXSOCK_PACKET_MAX),
		};
		report = deliver(l, s, &request, passfd);
		if (report)
			answer(l, s, report);
	}
	if (passfd != -1)
		close(passfd);
	return ok;
}

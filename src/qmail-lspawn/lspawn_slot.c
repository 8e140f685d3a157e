/*
 * Slots: deliveries from job to result, and the processes that do them.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "local/leftover.h"
#include "local/outcome.h"
#include "qmail-lspawn/lspawn.h"
#include "sys/clock.h"
#include "sys/io.h"
#include "sys/unixsock.h"

/* Output beyond what is reported is read and forgotten, up to this; then the program loses its reader. */
#define OUTPUT_LIMIT (16u << 20)
/* More than programs get, so that the delivery itself can report that its program took too long. */
#define GRACE_SECONDS 30
#define IDLE_MS 1000
#define IDLE_MAX 250 /* fewer than run at a time would mean a fork for each of the rest */
/* How long an answer of the password database is believed. */
#define PASSWD_MS 5000
#define KEY_MAX (2 * OWNER_TEXT_MAX)

/* ---- which slot, which process -------------------------------------------------- */

/*
 * What must be equal for a process to do another delivery: by users/cdb the
 * account and its home, by the password database the local part, and where
 * there is a table of mailboxes the whole address.
 */
static void owner_key(struct buf *key, const struct lspawn_job *job)
{
	const struct owner *o = &job->owner;

	buf_clear(key);
	if (job->virtual) {
		buf_add(key, job->local);
		buf_addc(key, '@');
		buf_add(key, job->host);
	} else if (job->known == OWNER_FOUND)
		buf_addf(key, "u%lu g%lu %s %s", (unsigned long)o->uid, (unsigned long)o->gid, o->user, o->home);
	else
		buf_add(key, job->local);
}

static bool usable_for(const struct slot *s, const struct lspawn_job *job, struct str key)
{
	return s->state == SLOT_IDLE && str_eq(buf_str(&s->owner), key) &&
	       ((job->known == OWNER_FOUND && !job->virtual) || clock_monotonic_ms() < s->born + PASSWD_MS);
}

static void close_fd(int *fd)
{
	if (*fd != -1)
		close(*fd);
	*fd = -1;
}

/* Parts with a process; one that is idle ends by itself when its socket closes. It is reaped later. */
static void part(struct slot *s)
{
	close_fd(&s->pipe);
	close_fd(&s->control);
	buf_free(&s->owner);
	s->pid = 0;
}

static struct slot *find_slot(struct lspawn *l, const struct lspawn_job *job)
{
	struct buf key = BUF_INIT(KEY_MAX);
	struct slot *empty = NULL, *idle = NULL, *fit = NULL;

	if (job)
		owner_key(&key, job);
	for (size_t i = 0; i < l->top && !fit; i++) {
		struct slot *s = &l->slots[i];

		if (job && usable_for(s, job, buf_str(&key)))
			fit = s;
		else if (s->state == SLOT_FREE)
			empty = s;
		else if (s->state == SLOT_IDLE && (idle == NULL || s->since < idle->since))
			idle = s;
	}
	if (fit == NULL && empty == NULL && l->top < LSPAWN_SLOTS) {
		empty = &l->slots[l->top++];
		*empty = (struct slot){ .pipe = -1, .control = -1 };
	}
	if (fit == NULL && empty == NULL && idle)
		part(empty = idle);
	buf_free(&key);
	return fit ? fit : empty;
}

struct slot *slot_take(struct lspawn *l, const struct lspawn_job *job)
{
	struct slot *s = find_slot(l, job);

	if (s == NULL)
		return NULL;
	s->state = SLOT_RUNNING;
	s->since = clock_monotonic_ms();
	s->killed = false;
	s->output_n = 0;
	s->output = BUF_INIT(OUTCOME_OUTPUT_MAX);
	s->result = BUF_INIT(UNIXSOCK_PACKET_MAX);
	return s;
}

bool slots_full(const struct lspawn *l)
{
	if (l->top < LSPAWN_SLOTS)
		return false;
	for (size_t i = 0; i < l->top; i++)
		if (l->slots[i].state == SLOT_FREE || l->slots[i].state == SLOT_IDLE)
			return false;
	return true;
}

bool slots_busy(const struct lspawn *l, bool idle)
{
	for (size_t i = 0; i < l->top; i++)
		if (l->slots[i].state == SLOT_RUNNING || (idle && l->slots[i].state == SLOT_IDLE))
			return true;
	return false;
}

static struct slot *slot_of(struct lspawn *l, pid_t pid)
{
	for (size_t i = 0; i < l->top; i++)
		if (l->slots[i].state != SLOT_FREE && l->slots[i].pid == pid)
			return &l->slots[i];
	return NULL;
}

/* ---- starting --------------------------------------------------------------------- */

static bool open_channels(int report[2], int control[2])
{
	if (io_pipe(report) == -1)
		return false;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) == 0)
		return true;
	close(report[0]);
	close(report[1]);
	return false;
}

static const char *start_process(struct lspawn *l, struct slot *s, const struct lspawn_job *job)
{
	int report[2], control[2];

	if (!open_channels(report, control))
		return "Zqmail-spawn unable to create pipe. (#4.3.0)\n";
	s->pid = fork();
	if (s->pid == 0)
		lspawn_child(l, job, report[1], control[1]);
	close(report[1]);
	close(control[1]);
	s->pipe = report[0];
	s->control = control[0];
	if (s->pid == -1) {
		part(s);
		return "Zqmail-spawn unable to fork. (#4.3.0)\n";
	}
	io_set_nonblocking(s->pipe, true);
	s->owner = BUF_INIT(KEY_MAX);
	owner_key(&s->owner, job);
	s->born = s->since;
	return NULL;
}

static bool hand_over(struct slot *s, const struct lspawn_job *job)
{
	struct buf packet = BUF_INIT(UNIXSOCK_PACKET_MAX);
	bool sent;

	lspawn_put_job(&packet, job);
	sent = buf_ok(&packet) && unixsock_send(s->control, buf_str(&packet), job->message) == 0;
	buf_free(&packet);
	return sent;
}

const char *slot_start(struct lspawn *l, struct slot *s, const struct lspawn_job *job)
{
	if (s->pid != 0) {
		if (hand_over(s, job))
			return NULL;
		part(s);
	}
	return start_process(l, s, job);
}

/* ---- results ---------------------------------------------------------------------- */

/* Ends the process that has been idle longest when there are too many. */
static void limit_idle(struct lspawn *l)
{
	struct slot *oldest = NULL;
	size_t count = 0;

	for (size_t i = 0; i < l->top; i++) {
		struct slot *s = &l->slots[i];

		if (s->state != SLOT_IDLE)
			continue;
		count++;
		if (oldest == NULL || s->since < oldest->since)
			oldest = s;
	}
	if (count <= IDLE_MAX)
		return;
	part(oldest);
	oldest->state = SLOT_FREE;
}

static void release(struct lspawn *l, struct slot *s)
{
	buf_free(&s->output);
	buf_free(&s->result);
	s->state = s->pid ? SLOT_IDLE : SLOT_FREE;
	s->since = clock_monotonic_ms();
	if (s->state == SLOT_IDLE)
		limit_idle(l);
}

static struct connection *connection_of(struct lspawn *l, uint64_t serial)
{
	for (size_t i = 0; i < LSPAWN_CONNECTIONS; i++)
		if (l->connections[i].fd != -1 && l->connections[i].serial == serial)
			return &l->connections[i];
	return NULL;
}

/* Sends the slot's result; leaves it when the socket is full. */
static void send_result(struct lspawn *l, struct slot *s)
{
	struct connection *c = connection_of(l, s->connection);

	/* Without a connection qmail-send has gone; it will try this recipient again. */
	if (c == NULL || unixsock_send(c->fd, buf_str(&s->result), -1) == 0 || errno != EAGAIN)
		release(l, s);
	else
		c->blocked = true;
}

void slots_send_results(struct lspawn *l, struct connection *c)
{
	c->blocked = false;
	for (size_t i = 0; i < l->top && !c->blocked; i++)
		if (l->slots[i].state == SLOT_ANSWER && l->slots[i].connection == c->serial)
			send_result(l, &l->slots[i]);
}

static void report(struct lspawn *l, struct slot *s, char letter, struct str text)
{
	const struct delivery_result r = { .id = s->id, .letter = letter, .text = text };

	s->state = SLOT_ANSWER;
	delivery_put_result(&s->result, &r);
	send_result(l, s);
}

void slot_answer(struct lspawn *l, struct slot *s, const char *text)
{
	report(l, s, *text, str_of(text + 1));
}

static void report_outcome(struct lspawn *l, struct slot *s, int status, struct str output)
{
	struct buf text = BUF_INIT(DELIVERY_REPORT_MAX);
	char letter = outcome_report(status, output, &text);

	report(l, s, letter, buf_str(&text));
	buf_free(&text);
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
		if (r == 0 || s->output_n > OUTPUT_LIMIT)
			close_fd(&s->pipe);
		if ((size_t)r < sizeof block)
			break;
	}
}

/* What comes here was written by a process of the user's; it can spoil only its own result. */
void slot_done(struct lspawn *l, struct slot *s)
{
	struct buf packet = BUF_INIT(LSPAWN_DONE_MAX);
	int passfd;
	ssize_t n = unixsock_recv(s->control, &packet, LSPAWN_DONE_MAX, &passfd);

	if (passfd != -1)
		close(passfd);
	/* At the end of file the process is about to end, and its exit code says the rest. */
	if (n <= 0 || s->state != SLOT_RUNNING)
		close_fd(&s->control);
	else
		report_outcome(l, s, (unsigned char)*packet.p << 8, str_from(buf_str(&packet), 1));
	buf_free(&packet);
}

/* ---- ends ------------------------------------------------------------------------- */

static void ended(struct lspawn *l, struct slot *s, int status)
{
	if (s->state == SLOT_RUNNING)
		slot_read(s);
	part(s);
	if (s->state == SLOT_RUNNING)
		report_outcome(l, s, status, buf_str(&s->output));
	else if (s->state == SLOT_IDLE)
		s->state = SLOT_FREE;
}

/*
 * A process stays unreaped until its group has been killed: until then the
 * group's number cannot be another's.
 */
void slots_reap(struct lspawn *l)
{
	siginfo_t info = { .si_pid = 0 };

	while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0) {
		struct slot *s = slot_of(l, info.si_pid);
		int status = SIGKILL;

		kill(-info.si_pid, SIGKILL);
		waitpid(info.si_pid, &status, WNOHANG);
		if (!recipients_ended(l, info.si_pid, status))
			l->orphans = l->orphans || !WIFEXITED(status);
		if (s)
			ended(l, s, status);
		info.si_pid = 0;
	}
}

static bool is_ours(void *ctx, pid_t pid)
{
	return slot_of(ctx, pid) != NULL || recipients_own(ctx, pid);
}

void slots_tick(struct lspawn *l, int64_t now)
{
	int64_t limit = ((int64_t)l->limits.seconds + GRACE_SECONDS) * 1000;

	if (l->orphans)
		l->orphans = !leftover_kill(is_ours, l);
	for (size_t i = 0; i < l->top; i++) {
		struct slot *s = &l->slots[i];

		if (s->state == SLOT_IDLE && now >= s->since + IDLE_MS) {
			part(s);
			s->state = SLOT_FREE;
		}
		if (s->state != SLOT_RUNNING || s->killed || l->limits.seconds == 0 || now < s->since + limit)
			continue;
		kill(-s->pid, SIGKILL);
		s->killed = true;
	}
}

void slots_kill_all(struct lspawn *l)
{
	for (size_t i = 0; i < l->top; i++)
		if (l->slots[i].state == SLOT_RUNNING)
			kill(-l->slots[i].pid, SIGKILL);
}

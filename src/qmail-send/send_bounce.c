/*
 * send_bounce: telling the sender what became of a message: bounces
 * (contract §8.6), notices of delay, reports of success.
 *
 * What has to be told is in the journal until a notice of it is in the queue,
 * so a crash between the two makes a second notice and never none. A notice
 * is composed and submitted by a child: $QMAILQUEUE may name a slow scanner.
 *
 * A bounce is due when the last recipient is finished. While others still
 * wait, it is due once the message is late, so that nobody learns of a typing
 * mistake after a week. Successes are told when nothing of the message is
 * under way.
 */
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "mail/dsn.h"
#include "qmail-send/send.h"
#include "qmail-send/send_notice.h"
#include "sys/clock.h"
#include "sys/io.h"

#define RETRY_SECONDS 123

struct bounce {
	struct bounce *next;
	struct sender *s;
	uint64_t id;
	enum notice_kind kind; /* NOTICE_DOUBLE_BOUNCE is NOTICE_BOUNCE here */
	int content;           /* of the original message; -1 */
	struct buf notes;      /* u32 recipient, str text, repeated */
	uint32_t nnotes;
	bool have_content, have_notes;
	pid_t child;
	bool settled; /* it is in the queue, and that is recorded */
	struct event *done;
};

/* The one that is being made, not one that only waits for its child. */
static struct bounce *find(struct sender *s, uint64_t id)
{
	struct bounce *b = s->bounces;

	while (b && (b->id != id || b->settled))
		b = b->next;
	return b;
}

static void bounce_free(struct bounce *b)
{
	struct bounce **p = &b->s->bounces;

	while (*p != b)
		p = &(*p)->next;
	*p = b->next;
	b->s->nbounces--;
	if (b->content != -1)
		close(b->content);
	if (b->done)
		event_free(b->done);
	buf_free(&b->notes);
	free(b);
}

/* Later again: a message without a job gets one that only waits; another comes back after its next attempt. */
static void try_later(struct bounce *b)
{
	struct msg *m = sched_find(b->s->sched, b->id);
	struct sender *s = b->s;

	if (m) {
		m->failed = m->failed || b->kind == NOTICE_BOUNCE;
		m->reportable = m->reportable || b->kind == NOTICE_SUCCESS;
	}
	bounce_free(b);
	if (m && m->removed)
		message_settle(s, m);
	else if (m && m->njobs == 0)
		sched_add_unrouted(s->sched, m, clock_wall() + RETRY_SECONDS);
	else if (m)
		message_rest(m);
}

/* ---- what is due ------------------------------------------------------------------------ */

bool bounce_wanted(const struct envelope *env, uint32_t recipient)
{
	uint8_t notify = env->recipients[recipient].notify;

	/* What nobody is told of goes to the postmaster, whatever was asked for. */
	return notify == 0 || notify & DSN_FAILURE || !envelope_has_sender(env);
}

bool bounce_success_wanted(const struct envelope *env, uint32_t recipient)
{
	return env->recipients[recipient].notify & DSN_SUCCESS && envelope_has_sender(env);
}

bool bounce_delay_wanted(const struct send_config *c, const struct envelope *env, uint32_t recipient, bool *asked)
{
	uint8_t notify = env->recipients[recipient].notify;

	*asked = notify & DSN_DELAY;
	if (env->recipients[recipient].done || !envelope_has_sender(env))
		return false;
	return *asked || (notify == 0 && c->tell_delays && env->flags & MESSAGE_SUBMITTED &&
			  !str_ends(envelope_sender(env), STR("-@[]")));
}

static bool any_delay_wanted(const struct send_config *c, const struct envelope *env)
{
	bool asked;

	for (uint32_t i = 0; i < env->nrecipients; i++)
		if (bounce_delay_wanted(c, env, i, &asked))
			return true;
	return false;
}

/* While recipients still wait. */
static bool due_meanwhile(const struct sender *s, const struct msg *m, int64_t now, enum notice_kind *kind)
{
	const struct envelope *env = m->envelope;
	bool late = now - m->birth >= sched_message_notice(m, s->config.delay);

	if (env == NULL || !envelope_has_sender(env) || sched_message_due(m) <= now)
		return false;
	if (m->failed && late && s->config.tell_delays)
		*kind = NOTICE_BOUNCE;
	else if (m->reportable)
		*kind = NOTICE_SUCCESS;
	else if (late && !m->told_late && any_delay_wanted(&s->config, env))
		*kind = NOTICE_DELAY;
	else
		return false;
	return true;
}

static void start(struct sender *s, struct msg *m, enum notice_kind kind)
{
	struct bounce *b = mem_zero(1, sizeof *b);

	*b = (struct bounce){ .next = s->bounces, .s = s, .id = m->id, .kind = kind, .content = -1 };
	b->notes = BUF_INIT(SIZE_MAX);
	s->bounces = b;
	s->nbounces++;
	if (kind == NOTICE_BOUNCE)
		m->failed = false;
	else if (kind == NOTICE_SUCCESS)
		m->reportable = false;
	if (kind == NOTICE_DELAY)
		b->have_notes = true; /* the answers come before the content */
	else
		journal_ask_notes(s, m->id);
	journal_open_message(s, m->id, kind == NOTICE_DELAY ? OPEN_FOR_DELAY : OPEN_FOR_BOUNCE, NULL,
			     m->envelope == NULL, true);
}

bool bounce_due(struct sender *s, struct msg *m)
{
	enum notice_kind kind;

	if (find(s, m->id))
		return true;
	if (m->njobs == 0 && (m->failed || m->reportable))
		kind = m->failed ? NOTICE_BOUNCE : NOTICE_SUCCESS;
	else if (m->njobs == 0 || !due_meanwhile(s, m, clock_wall(), &kind))
		return false;
	start(s, m, kind);
	return true;
}

bool bounce_begun(struct sender *s, uint64_t id)
{
	const struct msg *m = sched_find(s->sched, id);

	return m && m->njobs == 0 && find(s, id) != NULL;
}

/* ---- the child's end ------------------------------------------------------------------------ */

static void record_reported(const struct bounce *b)
{
	struct wire_reader r = wire_reader(buf_str(&b->notes));
	uint32_t *told = mem_array(NULL, b->nnotes + 1, sizeof *told), n = 0;

	while (r.rest.n && !r.bad && n < b->nnotes) {
		told[n++] = wire_get_u32(&r);
		wire_get_str(&r, SIZE_MAX);
	}
	journal_reported(b->s, b->id, told, n);
	free(told);
}

/* It is in the queue, or there was nothing to say. */
static void settle(struct bounce *b, struct msg *m)
{
	b->settled = true;
	if (b->kind == NOTICE_DELAY) {
		m->told_late = true;
		if (!m->removed)
			journal_reported(b->s, b->id, NULL, 0);
	} else if (!m->removed && (m->njobs || m->failed || m->reportable)) {
		/* Otherwise the end says so. */
		record_reported(b);
	}
	message_settle(b->s, m);
}

static void log_told(const struct bounce *b, const struct msg *m, unsigned long qp)
{
	if (b->kind == NOTICE_BOUNCE)
		log_bounce(m, qp);
	else
		log_notice(m, b->kind == NOTICE_DELAY ? "delay" : "success", qp);
}

void bounce_arrived(struct sender *s, uint32_t uid, uint32_t pid)
{
	for (struct bounce *b = s->bounces; b; b = b->next) {
		struct msg *m = sched_find(s->sched, b->id);

		/* The child has not been waited for, so its number cannot be another's. */
		if (b->child > 0 && (uint32_t)b->child == pid && uid == getuid() && !b->settled && m) {
			log_told(b, m, pid);
			settle(b, m);
			return;
		}
	}
}

static void on_child_done(evutil_socket_t fd, short what, void *arg)
{
	struct bounce *b = arg;
	struct msg *m = sched_find(b->s->sched, b->id);
	unsigned long qp = 0;
	ssize_t n = io_read(fd, &qp, sizeof qp);

	(void)what;
	close(fd);
	waitpid(b->child, NULL, 0);
	if (!b->settled && (n != (ssize_t)sizeof qp || qp == 0 || m == NULL)) {
		log_line("warning: trouble injecting bounce message, will try later");
		try_later(b);
		return;
	}
	if (!b->settled) {
		if (qp != NOTICE_NOT_NEEDED)
			log_told(b, m, qp);
		settle(b, m);
	}
	bounce_free(b);
}

static bool start_child(struct bounce *b, const struct msg *m)
{
	const struct notice_order o = { b->s, m, b->kind, b->content, buf_str(&b->notes) };
	int fds[2];

	if (io_pipe(fds) == -1)
		return false;
	log_flush();
	b->child = fork();
	if (b->child == 0) {
		unsigned long qp = notice_send(&o);

		io_write_all(fds[1], &qp, sizeof qp);
		_exit(0);
	}
	close(fds[1]);
	if (b->child == -1) {
		close(fds[0]);
		return false;
	}
	b->done = event_new(b->s->loop, fds[0], EV_READ, on_child_done, b);
	event_add(b->done, NULL);
	return true;
}

static void discard(struct bounce *b, struct msg *m)
{
	struct sender *s = b->s;

	log_line("triple bounce: discarding bounce/%llu", (unsigned long long)b->id);
	bounce_free(b);
	message_settle(s, m);
}

static void when_complete(struct bounce *b)
{
	struct msg *m = sched_find(b->s->sched, b->id);

	if (!b->have_content || !b->have_notes)
		return;
	if (b->content == -1 || m == NULL || m->envelope == NULL || m->removed) {
		try_later(b);
	} else if (str_eq(envelope_sender(m->envelope), STR("#@[]"))) {
		discard(b, m);
	} else if (!start_child(b, m)) {
		log_line("warning: unable to start qmail-queue, will try later");
		try_later(b);
	}
}

/* ---- what the journal says ------------------------------------------------------------------ */

void bounce_note(struct sender *s, uint64_t id, uint32_t recipient, uint8_t letter, struct str text)
{
	static const char letters[] = {
		[NOTICE_BOUNCE] = RESULT_FAILED,
		[NOTICE_DELAY] = 'Z',
		[NOTICE_SUCCESS] = RESULT_REPORTABLE,
	};
	struct bounce *b = find(s, id);

	/* The recipient's address may not be loaded yet; it is put in when all is here. */
	if (b == NULL || letters[b->kind] != (char)letter)
		return;
	wire_put_u32(&b->notes, recipient);
	wire_put_str(&b->notes, text);
	b->nnotes++;
}

void bounce_content(struct sender *s, uint64_t id, int fd)
{
	struct bounce *b = find(s, id);

	if (b == NULL) {
		if (fd != -1)
			close(fd);
		return;
	}
	b->have_content = true;
	b->content = fd;
	/* The connection was lost: the notes will not come either. */
	if (fd == -1)
		b->have_notes = true;
	when_complete(b);
}

void bounce_notes_end(struct sender *s, uint64_t id)
{
	struct bounce *b = find(s, id);

	if (b == NULL)
		return;
	b->have_notes = true;
	when_complete(b);
}

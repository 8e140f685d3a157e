/*
 * send_delivery: handing deliveries to qmail-lspawn and qmail-rspawn, and
 * what comes back.
 *
 * Each delivery of several recipients takes one slot; each recipient has its
 * own delivery number in the log.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "qmail-send/send.h"
#include "sys/clock.h"
#include "sys/home.h"
#include "sys/io.h"
#include "sys/unixsock.h"
#include "wire/delivery.h"
#include "wire/providerproto.h"

#define PACKETS_A_TURN 256
#define ANSWER_MAX 1000 /* bytes of a temporary failure that are kept: SCHED_BATCH_MAX of them fit in a packet */

/* A delivery under way. */
struct running {
	struct running *next; /* in its bucket, or in the list of free ones */
	uint32_t id;
	struct job *job;
	uint64_t first_number; /* in the log; the others follow */
	uint32_t nrecipients;  /* as handed over */
	uint32_t reported;
	uint32_t nopen;
	bool *answered;
	uint32_t *recipients; /* indexes into the envelope */
	uint32_t *open;       /* those to be tried again */
	struct buf answers;   /* why, as in the DEFER packet */
	char *words;          /* the report, if it says that nobody was reached */
	uint8_t worst;        /* DELIVERY_UNREACHABLE … of all reports */
	bool worked;          /* somebody got it */
	bool lost;            /* with the spawner */
	uint32_t total;       /* recipients of the message */
};

#define BUCKETS 4096

struct spawner {
	struct sender *s;
	const char *name; /* "lspawn" */
	int channel;
	int fd;
	struct event *readable, *writable;
	struct packet_queue out;
	struct buf in;
	struct running *running[BUCKETS];
	uint32_t nrunning;
	uint32_t next_id;
};

/* ---- the connection -------------------------------------------------------------------- */

static void on_readable(evutil_socket_t fd, short what, void *arg);

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct spawner *sp = arg;

	(void)what;
	if (packet_queue_flush(&sp->out, fd))
		event_del(sp->writable);
}

static bool connect_spawner(struct spawner *sp, struct err *e)
{
	char path[32];

	snprintf(path, sizeof path, "run/%s", sp->name);
	if (!unixsock_connect(home_dir(), path, UNIXSOCK_PACKET, &sp->fd, e))
		return false;
	io_set_nonblocking(sp->fd, true);
	sp->readable = event_new(sp->s->loop, sp->fd, EV_READ | EV_PERSIST, on_readable, sp);
	sp->writable = event_new(sp->s->loop, sp->fd, EV_WRITE | EV_PERSIST, on_writable, sp);
	event_add(sp->readable, NULL);
	sched_set_limit(sp->s->sched, sp->channel, (uint32_t)sp->s->config.concurrency[sp->channel]);
	/* Providers can be asked for now. */
	if (sp->channel == SCHED_REMOTE)
		sched_new_policies(sp->s->sched);
	return true;
}

bool spawners_start(struct sender *s, struct err *e)
{
	static const char *const names[SCHED_CHANNELS] = { "lspawn", "rspawn" };

	for (int c = 0; c < SCHED_CHANNELS; c++) {
		struct spawner *sp = s->spawners[c];

		if (sp == NULL) {
			sp = s->spawners[c] = mem_zero(1, sizeof *sp);
			*sp = (struct spawner){ .s = s, .name = names[c], .channel = c, .fd = -1 };
			sp->in = BUF_INIT(UNIXSOCK_PACKET_MAX);
			packet_queue_init(&sp->out);
		}
		if (sp->fd == -1 && !connect_spawner(sp, e))
			return false;
	}
	return true;
}

static void report(struct spawner *sp, struct running *run, uint32_t i, char letter, struct str text, uint8_t flags);

/* The spawner is gone: what was running there is tried again by the schedule. */
static void lost(struct spawner *sp)
{
	struct running *run, *next;

	/* Before the first good start it said itself why it ended. */
	if (sp->s->ever_ready)
		log_line("alert: lost connection to qmail-%s; its deliveries are deferred", sp->name);
	event_free(sp->readable);
	event_free(sp->writable);
	close(sp->fd);
	sp->fd = -1;
	packet_queue_clear(&sp->out);
	sched_set_limit(sp->s->sched, sp->channel, 0);
	if (sp->channel == SCHED_REMOTE)
		sched_no_providers(sp->s->sched);
	for (size_t b = 0; b < BUCKETS; b++)
		for (run = sp->running[b]; run; run = next) {
			uint32_t n = run->nrecipients;

			next = run->next;
			run->lost = true;
			/* The last report frees it. */
			for (uint32_t i = 0, left = n - run->reported; left; i++)
				if (!run->answered[i]) {
					left--;
					report(sp, run, i, 'Z',
					       STR("Lost connection to the delivery agent. (#4.3.0)\n"), 0);
				}
		}
}

void spawners_retry(struct sender *s)
{
	for (int c = 0; c < SCHED_CHANNELS; c++) {
		struct spawner *sp = s->spawners[c];
		struct err e;

		if (sp->fd == -1 && connect_spawner(sp, &e))
			log_line("warning: connected to qmail-%s again", sp->name);
	}
}

uint32_t deliveries_running_in(const struct sender *s, int channel)
{
	return s->spawners[channel]->nrunning;
}

uint32_t deliveries_running(const struct sender *s)
{
	return deliveries_running_in(s, SCHED_LOCAL) + deliveries_running_in(s, SCHED_REMOTE);
}

bool delivery_ask_provider(struct sender *s, struct str host)
{
	struct spawner *sp = s->spawners[SCHED_REMOTE];
	struct buf packet = BUF_INIT(UNIXSOCK_PACKET_MAX);

	if (sp == NULL || sp->fd == -1 || host.n > DELIVERY_ADDRESS_MAX)
		return false;
	provider_put_question(&packet, host);
	if (!packet_queue_send(&sp->out, sp->fd, buf_str(&packet), -1))
		event_add(sp->writable, NULL);
	buf_free(&packet);
	return true;
}

/* ---- starting -------------------------------------------------------------------------- */

static struct running *new_running(struct spawner *sp, struct job *job)
{
	struct running *run = mem_zero(1, sizeof *run), **b;
	uint32_t n = job->nrecipients;

	run->id = sp->next_id++;
	run->job = job;
	run->nrecipients = n;
	run->total = ((const struct envelope *)job->msg->envelope)->total;
	run->answered = mem_zero(n, sizeof *run->answered);
	run->recipients = mem_array(NULL, n, sizeof *run->recipients);
	run->open = mem_array(NULL, n, sizeof *run->open);
	run->answers = BUF_INIT(QUEUE_PACKET_MAX - 1024);
	memcpy(run->recipients, job_recipients(job), n * sizeof *run->recipients);
	b = &sp->running[run->id % BUCKETS];
	run->next = *b;
	*b = run;
	sp->nrunning++;
	return run;
}

static struct running *find_running(const struct spawner *sp, uint32_t id)
{
	struct running *run = sp->running[id % BUCKETS];

	while (run && run->id != id)
		run = run->next;
	return run;
}

static void free_running(struct spawner *sp, struct running *run)
{
	struct running **p = &sp->running[run->id % BUCKETS];

	while (*p != run)
		p = &(*p)->next;
	*p = run->next;
	sp->nrunning--;
	free(run->answered);
	free(run->recipients);
	free(run->open);
	buf_free(&run->answers);
	free(run->words);
	free(run);
}

static void put_wishes(struct delivery_request *q, const struct running *run, const struct envelope *env)
{
	struct str envid = envelope_envid(env);
	bool any = env->ret || envid.n;

	q->ret = env->ret;
	q->envid = envid;
	for (uint32_t i = 0; i < run->nrecipients; i++) {
		q->notify[i] = env->recipients[run->recipients[i]].notify;
		q->orcpts[i] = envelope_orcpt(env, run->recipients[i]);
		any = any || q->notify[i] || q->orcpts[i].n;
	}
	if (any)
		q->flags |= DELIVERY_WISHES;
}

/* The request for a job: addresses as routed, the sender with VERP. */
static void put_request(struct spawner *sp, const struct running *run, struct buf *packet)
{
	const struct envelope *env = run->job->msg->envelope;
	struct buf addresses = BUF_INIT(SIZE_MAX), one = BUF_INIT(SIZE_MAX), verp = BUF_INIT(SIZE_MAX);
	size_t ends[SCHED_BATCH_MAX];
	static struct delivery_request q;

	q = (struct delivery_request){
		.id = run->id, .message = run->job->msg->id, .size = env->size, .nrecipients = run->nrecipients
	};
	if (env->flags & MESSAGE_8BIT)
		q.flags |= DELIVERY_8BIT;
	if (env->flags & MESSAGE_SMTPUTF8)
		q.flags |= DELIVERY_SMTPUTF8;
	if (run->job->afresh)
		q.flags |= DELIVERY_AFRESH;
	for (uint32_t i = 0; i < run->nrecipients; i++) {
		message_recipient(sp->s, run->job, run->recipients[i], &one);
		if (i == 0)
			route_verp_sender(envelope_sender(env), buf_str(&one), &verp);
		buf_add(&addresses, buf_str(&one));
		ends[i] = addresses.n;
	}
	for (uint32_t i = 0; i < run->nrecipients; i++) {
		size_t from = i ? ends[i - 1] : 0;

		q.recipients[i] = (struct str){ addresses.p + from, ends[i] - from };
	}
	put_wishes(&q, run, env);
	q.sender = buf_str(&verp);
	if (sp->channel == SCHED_REMOTE)
		q.host = str_from(q.recipients[0], str_rchr(q.recipients[0], '@') + 1);
	delivery_put_request(packet, &q);
	buf_free(&addresses);
	buf_free(&one);
	buf_free(&verp);
}

/* In the log, the delivery begins. */
static struct running *begin(struct spawner *sp, struct job *job)
{
	struct running *run = new_running(sp, job);
	struct buf address = BUF_INIT(SIZE_MAX);

	run->first_number = sp->s->next_delivery;
	sp->s->next_delivery += run->nrecipients;
	for (uint32_t i = 0; i < run->nrecipients; i++) {
		message_recipient(sp->s, job, run->recipients[i], &address);
		log_starting(&(struct log_delivery){ run->first_number + i, job->msg, run->recipients[i] }, sp->channel,
			     buf_str(&address));
	}
	buf_free(&address);
	log_status(sp->s);
	return run;
}

/* Is the job not to be done after all? Then that was seen to. */
static bool not_now(struct sender *s, struct job *job, bool impossible)
{
	struct msg *m = job->msg;

	if (m->removed) {
		sched_finish(s->sched, job, NULL, 0, clock_wall());
		message_settle(s, m);
		return true;
	}
	if (m->held || s->exiting || impossible) {
		sched_put_back(s->sched, job, clock_wall() + 10);
		return true;
	}
	return false;
}

void delivery_start(struct sender *s, struct job *job, int fd)
{
	int channel = job->dest ? sched_channel(job) : SCHED_LOCAL;
	struct spawner *sp = s->spawners[channel];
	struct buf packet = BUF_INIT(UNIXSOCK_PACKET_MAX);
	struct running *run;

	/* No fault of the message: soon again. */
	if (not_now(s, job, fd == -1 || sp->fd == -1)) {
		if (fd != -1)
			close(fd);
		return;
	}
	run = begin(sp, job);
	put_request(sp, run, &packet);
	if (!packet_queue_send(&sp->out, sp->fd, buf_str(&packet), fd))
		event_add(sp->writable, NULL);
	buf_free(&packet);
}

/* ---- results ------------------------------------------------------------------------------ */

#define TOO_OLD "I'm not going to try again; this message has been in the queue too long.\n"

/* What the reports say about the destination. */
static void tell_outcome(struct sender *s, const struct running *run)
{
	enum sched_outcome outcome = run->worked                         ? SCHED_WORKED
				     : run->worst & DELIVERY_UNREACHABLE ? SCHED_UNREACHABLE
				     : run->worst & DELIVERY_BUSY        ? SCHED_BUSY
									 : SCHED_ANSWERED;

	sched_outcome(s->sched, run->job, outcome, str_of(run->words));
}

static void finish(struct spawner *sp, struct running *run)
{
	struct sender *s = sp->s;
	struct msg *m = run->job->msg;
	int64_t due;
	bool deferred;

	if (!run->job->verdict && !run->lost)
		tell_outcome(s, run);
	deferred = sched_finish(s->sched, run->job, run->open, m->removed ? 0 : run->nopen, clock_wall()) != 0;
	due = sched_message_due(m);
	/* While something of it runs there is no time to tell: whichever ends last tells it. */
	if (deferred || (m->untimed && due && !m->removed))
		journal_defer(s, m, due, buf_str(&run->answers));
	free_running(sp, run);
	log_status(s);
	message_settle(s, m);
}

void delivery_failed(struct sender *s, struct msg *m, uint32_t recipient, struct str text)
{
	struct envelope *env = m->envelope;
	bool wanted = bounce_wanted(env, recipient);

	env->recipients[recipient].done = true;
	m->failed = m->failed || wanted;
	journal_result(s, m->id, recipient, wanted ? RESULT_FAILED : RESULT_DELIVERED, wanted ? text : STR(""));
}

/* What was done with the message, by the report's last line (contract §10.8): "did 1+0+0". */
static enum success_letter local_success(struct str text)
{
	uint64_t files = 0, forwards = 0, programs = 0;
	struct str line, number;

	while (str_next_line(&text, &line)) {
		if (!str_starts(line, STR("did ")))
			continue;
		str_cut(str_from(line, 4), '+', &number, &line);
		str_to_u64(number, &files);
		str_cut(line, '+', &number, &line);
		str_to_u64(number, &forwards);
		str_to_u64(line, &programs);
	}
	if (files || programs || forwards == 0)
		return SUCCESS_DELIVERED;
	return forwards == 1 ? SUCCESS_RELAYED : SUCCESS_EXPANDED;
}

static void succeeded(struct spawner *sp, struct running *run, uint32_t i, struct str text, uint8_t flags)
{
	struct msg *m = run->job->msg;
	struct envelope *env = m->envelope;
	uint32_t recipient = run->recipients[i];
	struct buf note = BUF_INIT(SIZE_MAX);

	env->recipients[recipient].done = true;
	/* A server that reports by itself does so. */
	if (bounce_success_wanted(env, recipient) && !(flags & DELIVERY_REPORTS)) {
		buf_addc(&note, sp->channel == SCHED_LOCAL ? (char)local_success(text) : SUCCESS_RELAYED);
		buf_add(&note, text);
		m->reportable = true;
		journal_result(sp->s, m->id, recipient, RESULT_REPORTABLE, buf_str(&note));
	} else if (run->total > 1) {
		/* The only recipient's success is recorded by the END that follows at once. */
		journal_result(sp->s, m->id, recipient, RESULT_DELIVERED, STR(""));
	}
	buf_free(&note);
}

static void still_open(struct running *run, uint32_t i, struct str text)
{
	run->open[run->nopen++] = run->recipients[i];
	wire_put_u32(&run->answers, run->recipients[i]);
	wire_put_str(&run->answers, str_head(text, ANSWER_MAX));
}

static void note_flags(struct running *run, char letter, struct str text, uint8_t flags)
{
	run->worst |= flags;
	run->worked |= letter == 'K';
	if (flags & DELIVERY_UNREACHABLE && run->words == NULL)
		run->words = mem_copy(text);
}

/* Takes one report; frees run after the last. */
static void report(struct spawner *sp, struct running *run, uint32_t i, char letter, struct str text, uint8_t flags)
{
	struct sender *s = sp->s;
	struct buf last = BUF_INIT(SIZE_MAX);

	run->answered[i] = true;
	run->reported++;
	note_flags(run, letter, text, flags);
	if (letter == 'Z' && (run->job->dying || run->job->msg->giving_up)) {
		letter = 'D';
		buf_add(&last, text);
		if (text.n && text.p[text.n - 1] != '\n')
			buf_addc(&last, '\n');
		if (run->job->dying)
			buf_addz(&last, TOO_OLD);
		text = buf_str(&last);
	}
	log_report(&(struct log_delivery){ run->first_number + i, run->job->msg, run->recipients[i] }, letter, text);
	if (letter == 'Z')
		still_open(run, i, text);
	else if (letter == 'D')
		delivery_failed(s, run->job->msg, run->recipients[i], text);
	else
		succeeded(sp, run, i, text, flags);
	buf_free(&last);
	if (run->reported == run->nrecipients)
		finish(sp, run);
}

void delivery_verdict(struct sender *s, struct job *job)
{
	struct spawner *sp = s->spawners[sched_channel(job)];
	struct buf words = BUF_INIT(SIZE_MAX);
	struct running *run;

	if (not_now(s, job, false))
		return;
	/* The destination may answer again while they are used. */
	buf_add(&words, sched_words(job));
	run = begin(sp, job);
	/* The last report frees it. */
	for (uint32_t i = 0, n = run->nrecipients; i < n; i++)
		report(sp, run, i, 'Z', buf_str(&words), 0);
	buf_free(&words);
}

static bool got_packet(struct spawner *sp, struct str packet)
{
	struct provider_answer provider;
	struct delivery_result r;
	struct running *run;

	if (sp->channel == SCHED_REMOTE && provider_get_answer(packet, &provider)) {
		policy_provider_arrived(sp->s, provider.host, provider.names);
		return true;
	}
	if (!delivery_get_result(packet, &r))
		return false;
	run = find_running(sp, r.id);
	if (run == NULL || r.recipient >= run->nrecipients || run->answered[r.recipient]) {
		log_line("warning: internal error: delivery report out of range");
		return true;
	}
	report(sp, run, r.recipient, r.letter, r.text, r.flags);
	return true;
}

static void on_readable(evutil_socket_t sock, short what, void *arg)
{
	struct spawner *sp = arg;

	(void)what;
	for (int i = 0; i < PACKETS_A_TURN; i++) {
		ssize_t got;
		int fd;

		buf_clear(&sp->in);
		got = unixsock_recv(sock, &sp->in, UNIXSOCK_PACKET_MAX, &fd);
		if (fd != -1)
			close(fd);
		if (got == -1 && (errno == EAGAIN || errno == EINTR))
			return;
		if (got <= 0 || !got_packet(sp, buf_str(&sp->in))) {
			lost(sp);
			return;
		}
	}
}

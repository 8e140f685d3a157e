/*
 * send_order: what operators want of messages.
 *
 * Orders come through the journal, which knows who gave them. What is being
 * delivered is not interrupted: its result counts, except for a message that
 * was removed. Each order is a line in the log, also one that could not be
 * done.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "qmail-send/send.h"
#include "sys/clock.h"

/* An order that waits for its message's envelope. */
struct waiting_order {
	struct waiting_order *next;
	struct order_packet packet;
	struct buf words;
};

static struct waiting_order *waiting;

static const char *const names[ORDER_LAST + 1] = {
	[ORDER_HOLD] = "hold",          [ORDER_RELEASE] = "release",
	[ORDER_RETRY] = "retry",        [ORDER_REMOVE] = "remove",
	[ORDER_BOUNCE] = "bounce",      [ORDER_REQUEUE] = "requeue",
	[ORDER_SENDER] = "edit sender", [ORDER_RECIPIENT] = "edit recipient",
};

static void answer(struct sender *s, const struct order_packet *o, enum order_status status, const char *text)
{
	log_order(o->id, names[o->order], o->uid, status == ORDER_OK ? NULL : text);
	journal_ordered(s, o->ticket, status, text);
}

static bool has_running(const struct msg *m)
{
	for (const struct job *j = msg_first_job(m); j; j = msg_next_job(j))
		if (j->running)
			return true;
	return false;
}

/* ---- orders that need no envelope ---------------------------------------------------------- */

static void hold(struct sender *s, struct msg *m, const struct order_packet *o)
{
	sched_hold(s->sched, m);
	journal_defer(s, m, (int64_t)QUEUE_HELD, STR(""));
	answer(s, o, ORDER_OK, has_running(m) ? "held after the delivery that runs" : "");
}

static void go_on(struct sender *s, struct msg *m, const struct order_packet *o)
{
	int64_t now = clock_wall();

	if (o->order == ORDER_RELEASE ? !m->held : m->held) {
		answer(s, o, ORDER_REFUSED, m->held ? ORDER_IS_HELD : ORDER_NOT_HELD);
		return;
	}
	sched_release(s->sched, m, now);
	journal_defer(s, m, now, STR(""));
	answer(s, o, ORDER_OK, has_running(m) ? "what is being delivered is tried again if it does not succeed" : "");
}

static void remove_message(struct sender *s, struct msg *m, const struct order_packet *o)
{
	m->removed = true;
	answer(s, o, ORDER_OK, has_running(m) ? "removed; the delivery that runs may still succeed" : "");
	log_end(m);
	journal_end(s, m->id);
	sched_drop_jobs(s->sched, m);
	message_settle(s, m);
}

/* Its envelope will be read, and routed, anew. */
static void route_again(struct sender *s, struct msg *m)
{
	sched_drop_jobs(s->sched, m);
	message_drop_envelope(m);
	sched_add_unrouted(s->sched, m, clock_wall());
}

static void requeue(struct sender *s, struct msg *m, const struct order_packet *o)
{
	if (has_running(m)) {
		answer(s, o, ORDER_BUSY, "a delivery of it runs; hold it, or try again later");
		return;
	}
	route_again(s, m);
	sched_retry(s->sched, m, clock_wall());
	if (!m->held)
		journal_defer(s, m, clock_wall(), STR(""));
	answer(s, o, ORDER_OK, "");
}

/* ---- orders that need it --------------------------------------------------------------------- */

static bool runs(const struct msg *m, uint32_t recipient)
{
	for (const struct job *j = msg_first_job(m); j; j = msg_next_job(j))
		for (uint32_t i = 0; j->running && i < j->nrecipients; i++)
			if (job_recipients(j)[i] == recipient)
				return true;
	return false;
}

static void fail_recipient(struct sender *s, struct msg *m, uint32_t i, struct str text)
{
	struct envelope *env = m->envelope;
	struct buf address = BUF_INIT(SIZE_MAX);
	struct route r = route_address(&s->routes, envelope_recipient(env, i), &address);
	struct log_delivery d = { s->next_delivery++, m, i };

	/* As if it had been tried: who reads the log counts deliveries. */
	log_starting(&d, r.channel == ROUTE_LOCAL ? SCHED_LOCAL : SCHED_REMOTE, buf_str(&address));
	log_report(&d, 'D', text);
	delivery_failed(s, m, i, text);
	buf_free(&address);
}

static void bounce(struct sender *s, struct msg *m, const struct order_packet *o)
{
	struct envelope *env = m->envelope;
	struct buf text = BUF_INIT(SIZE_MAX);

	queue_put_returned(&text, o->one);
	for (uint32_t i = 0; i < env->nrecipients; i++)
		if (!env->recipients[i].done && !runs(m, i))
			fail_recipient(s, m, i, buf_str(&text));
	buf_free(&text);
	m->giving_up = true;
	if (m->held) {
		/* The bounce itself is not held. */
		m->held = false;
		journal_defer(s, m, clock_wall(), STR(""));
	}
	sched_drop_jobs(s->sched, m);
	answer(s, o, ORDER_OK, m->njobs ? "what is being delivered is bounced unless it succeeds" : "");
	if (m->njobs == 0)
		message_settle(s, m);
}

static uint32_t find_recipient(const struct envelope *env, struct str address)
{
	for (uint32_t i = 0; i < env->nrecipients; i++)
		if (!env->recipients[i].done && str_eq(envelope_recipient(env, i), address))
			return i;
	return QUEUE_SENDER;
}

static void edit(struct sender *s, struct msg *m, const struct order_packet *o)
{
	struct str address = o->order == ORDER_SENDER ? o->one : o->two;
	uint32_t recipient = o->order == ORDER_SENDER ? QUEUE_SENDER : find_recipient(m->envelope, o->one);

	if (has_running(m)) {
		answer(s, o, ORDER_BUSY, "a delivery of it runs; hold it, or try again later");
		return;
	}
	if (!queue_address_acceptable(address) || (o->order == ORDER_RECIPIENT && address.n == 0)) {
		answer(s, o, ORDER_REFUSED, ORDER_NO_ADDRESS);
		return;
	}
	if (o->order == ORDER_RECIPIENT && recipient == QUEUE_SENDER) {
		answer(s, o, ORDER_REFUSED, ORDER_NO_RECIPIENT);
		return;
	}
	journal_edit(s, o->ticket, m->id, recipient, address);
	route_again(s, m);
	answer(s, o, ORDER_OK, "");
}

/* ---- arrival ------------------------------------------------------------------------------------ */

static void wait_for_envelope(struct sender *s, const struct order_packet *o)
{
	struct waiting_order *w = mem_zero(1, sizeof *w), **p = &waiting;

	w->packet = *o;
	w->words = BUF_INIT(SIZE_MAX);
	buf_add(&w->words, o->one);
	buf_add(&w->words, o->two);
	w->packet.one = str_head(buf_str(&w->words), o->one.n);
	w->packet.two = str_from(buf_str(&w->words), o->one.n);
	while (*p)
		p = &(*p)->next;
	*p = w;
	journal_open_message(s, o->id, OPEN_FOR_ORDER, NULL, true, false);
}

static bool is_waited_for(uint64_t id)
{
	for (const struct waiting_order *w = waiting; w; w = w->next)
		if (w->packet.id == id)
			return true;
	return false;
}

static void carry_out(struct sender *s, struct msg *m, const struct order_packet *o)
{
	switch ((enum queue_order)o->order) {
	case ORDER_HOLD:
		hold(s, m, o);
		break;
	case ORDER_RELEASE:
	case ORDER_RETRY:
		go_on(s, m, o);
		break;
	case ORDER_REMOVE:
		remove_message(s, m, o);
		break;
	case ORDER_BOUNCE:
		bounce(s, m, o);
		break;
	case ORDER_REQUEUE:
		requeue(s, m, o);
		break;
	case ORDER_SENDER:
	case ORDER_RECIPIENT:
		edit(s, m, o);
		break;
	case ORDER_REREAD:
		break;
	}
}

static void reread(struct sender *s, const struct order_packet *o)
{
	struct err e = { 0 };
	bool ok = send_reread(s, &e);

	journal_ordered(s, o->ticket, ok ? ORDER_OK : ORDER_FAILED, e.text);
}

void order_arrived(struct sender *s, const struct order_packet *o)
{
	struct msg *m = sched_find(s->sched, o->id);
	bool needs_envelope = o->order == ORDER_BOUNCE || o->order == ORDER_RECIPIENT;

	if (o->order == ORDER_REREAD)
		reread(s, o);
	else if (m == NULL || m->removed)
		answer(s, o, ORDER_NONE, ORDER_NO_MESSAGE);
	else if (bounce_begun(s, o->id))
		answer(s, o, ORDER_NONE, "it is finished; its bounce is being written");
	else if (s->exiting)
		answer(s, o, ORDER_FAILED, "qmail-send is ending");
	else if (is_waited_for(o->id))
		answer(s, o, ORDER_BUSY, "an earlier order for it is under way");
	else if (needs_envelope && m->envelope == NULL)
		wait_for_envelope(s, o);
	else
		carry_out(s, m, o);
}

static struct waiting_order *take_waiting(uint64_t id)
{
	for (struct waiting_order **p = &waiting, *w; (w = *p) != NULL; p = &w->next)
		if (w->packet.id == id) {
			*p = w->next;
			return w;
		}
	return NULL;
}

void order_envelope(struct sender *s, uint64_t id, bool loaded)
{
	struct msg *m = sched_find(s->sched, id);
	struct waiting_order *w = take_waiting(id);

	/* It may have ended while its envelope was on the way, which then looked like a new message. */
	if (m && m->njobs == 0 && !bounce_begun(s, id)) {
		message_drop_envelope(m);
		sched_remove(s->sched, m);
		m = NULL;
	}
	if (w && m && loaded && !bounce_begun(s, id))
		carry_out(s, m, &w->packet);
	else if (w)
		answer(s, &w->packet, ORDER_NONE, "there is no such message any more");
	if (w)
		buf_free(&w->words);
	free(w);
}

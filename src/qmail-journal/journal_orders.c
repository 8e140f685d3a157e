/*
 * journal_orders: what operators want of messages.
 *
 * An order goes to the scheduler, which alone knows what is being delivered;
 * it decides, and tells the journal in its usual words what becomes of the
 * message, then that the order is done. The operator hears of it when all that
 * is durable. While the mail system is down (--serve) nothing is being
 * delivered, and the order is carried out here.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "qmail-journal/journal_server.h"

#define ALREADY_DUE 1 /* a time that has passed, and not the 0 of what was never tried */

struct order {
	struct order *next;
	struct manager *from;
	uint32_t ticket, their_ticket; /* ours to the scheduler; the tool's */
	uint8_t status;
	char *text; /* owned; NULL for none */
};

static void tell(struct manager *g, uint32_t ticket, uint8_t status, const char *text)
{
	struct buf out = BUF_INIT(QUEUE_PACKET_MAX);

	queue_put_ordered(&out, ticket, status, str_of(text));
	manager_send(g, buf_str(&out), -1);
	buf_free(&out);
}

static void put_last(struct order_list *l, struct order *o)
{
	o->next = NULL;
	if (l->first)
		l->last->next = o;
	else
		l->first = o;
	l->last = o;
}

/* Takes out those for which is() says so, in their order. */
static struct order_list take_those(struct order_list *l, bool (*is)(const struct order *o, const void *ctx),
				    const void *ctx)
{
	struct order_list all = *l, taken = { 0 };

	*l = (struct order_list){ 0 };
	for (struct order *o = all.first, *next; o; o = next) {
		next = o->next;
		put_last(is(o, ctx) ? &taken : l, o);
	}
	return taken;
}

static bool has_ticket(const struct order *o, const void *ticket)
{
	return o->ticket == *(const uint32_t *)ticket;
}

/* Answers come in the order of the requests, so it is the first but for mistakes. */
static struct order *take_order(struct server *sv, uint32_t ticket)
{
	struct order *o = sv->orders.first;

	if (o == NULL || o->ticket != ticket)
		return take_those(&sv->orders, has_ticket, &ticket).first;
	sv->orders.first = o->next;
	return o;
}

/* Written at once, between two commits: whoever opens the message next gets the new envelope. */
static bool edit(struct server *sv, uint64_t id, uint32_t recipient, struct str address, struct err *e)
{
	return server_commit(sv, false, e) && journal_stage_edit(sv->journal, id, recipient, address, e) &&
	       server_commit(sv, true, e);
}

/* ---- while the mail system is down ----------------------------------------------------------- */

/* The first open recipient from `from` on, with that address if one is given; else JOURNAL_SENDER. */
static uint32_t open_recipient(struct server *sv, const struct journal_envelope *env, uint32_t from,
			       const struct str *address)
{
	struct wire_reader r = wire_reader(env->recipients);

	for (uint32_t i = 0; i < env->nrecipients; i++) {
		struct str found = wire_get_str(&r, SIZE_MAX);

		wire_get_str(&r, SIZE_MAX);
		if (i >= from && !journal_done(sv->journal, env->id, i) && (address == NULL || str_eq(found, *address)))
			return i;
	}
	return JOURNAL_SENDER;
}

static enum order_status change_alone(struct server *sv, const struct order_packet *o,
				      const struct journal_envelope *env, struct err *e)
{
	bool sender = o->order == ORDER_SENDER;
	uint32_t i = sender ? JOURNAL_SENDER : open_recipient(sv, env, 0, &o->one);

	if (!sender && i == JOURNAL_SENDER)
		err_perm(e, ORDER_NO_RECIPIENT);
	else if (!queue_address_acceptable(sender ? o->one : o->two) || (!sender && o->two.n == 0))
		err_perm(e, ORDER_NO_ADDRESS);
	else if (edit(sv, o->id, i, sender ? o->one : o->two, e))
		return ORDER_OK;
	return e->kind == ERR_PERMANENT ? ORDER_REFUSED : ORDER_FAILED;
}

static enum order_status bounce_alone(struct server *sv, const struct order_packet *o,
				      const struct journal_envelope *env)
{
	struct buf text = BUF_INIT(SIZE_MAX);
	uint32_t i = 0;

	queue_put_returned(&text, o->one);
	while ((i = open_recipient(sv, env, i, NULL)) != JOURNAL_SENDER)
		journal_stage_result(sv->journal, o->id, i, JOURNAL_FAILED, buf_str(&text));
	journal_stage_defer(sv->journal, o->id, ALREADY_DUE, STR(""));
	buf_free(&text);
	return ORDER_OK;
}

static enum order_status with_envelope(struct server *sv, const struct order_packet *o, struct err *e)
{
	struct journal_envelope env;
	enum order_status status;

	if (!journal_read_head(sv->journal, o->id, &env, e))
		return ORDER_FAILED;
	status = o->order == ORDER_BOUNCE ? bounce_alone(sv, o, &env) : change_alone(sv, o, &env, e);
	buf_free(&env.storage);
	return status;
}

static enum order_status carry_out(struct server *sv, const struct order_packet *o, struct err *e)
{
	struct journal *j = sv->journal;
	struct journal_info info;

	if (o->order == ORDER_REREAD)
		return ORDER_OK;
	if (!journal_info_of(j, o->id, &info)) {
		err_perm(e, ORDER_NO_MESSAGE);
		return ORDER_NONE;
	}
	switch ((enum queue_order)o->order) {
	case ORDER_HOLD:
		journal_stage_defer(j, o->id, JOURNAL_HELD, STR(""));
		return ORDER_OK;
	case ORDER_RELEASE:
	case ORDER_RETRY:
		if ((info.due == JOURNAL_HELD) != (o->order == ORDER_RELEASE)) {
			err_perm(e, "%s", o->order == ORDER_RELEASE ? ORDER_NOT_HELD : ORDER_IS_HELD);
			return ORDER_REFUSED;
		}
		journal_stage_defer(j, o->id, ALREADY_DUE, STR(""));
		return ORDER_OK;
	case ORDER_REMOVE:
		journal_stage_end(j, o->id);
		return ORDER_OK;
	case ORDER_REQUEUE:
		/* Routes are found anew at the start in any case. */
		if (info.due != JOURNAL_HELD)
			journal_stage_defer(j, o->id, ALREADY_DUE, STR(""));
		return ORDER_OK;
	case ORDER_BOUNCE:
	case ORDER_SENDER:
	case ORDER_RECIPIENT:
		return with_envelope(sv, o, e);
	case ORDER_REREAD:
		break;
	}
	return ORDER_REFUSED;
}

/* ---- on a running system ---------------------------------------------------------------------- */

void order_given(struct manager *g, const struct order_packet *given)
{
	struct server *sv = g->sv;
	struct order_packet packet = *given;
	struct buf out = BUF_INIT(SIZE_MAX);
	struct order *o;

	if (sv->alone) {
		struct err e = { 0 };

		o = mem_zero(1, sizeof *o);
		o->from = g;
		o->their_ticket = given->ticket;
		o->status = (uint8_t)carry_out(sv, given, &e);
		o->text = mem_copy(str_of(e.text));
		put_last(&sv->answered, o);
		sv->sync_due = true;
		return;
	}
	if (sv->scheduler == NULL) {
		tell(g, given->ticket, ORDER_FAILED, "qmail-send is not there at the moment");
		return;
	}
	o = mem_zero(1, sizeof *o);
	o->from = g;
	o->their_ticket = given->ticket;
	o->ticket = packet.ticket = sv->next_ticket++;
	packet.uid = g->uid;
	put_last(&sv->orders, o);
	queue_put_order(&out, &packet, true);
	manager_send(sv->scheduler, buf_str(&out), -1);
	buf_free(&out);
}

static void answered(struct server *sv, uint32_t ticket, uint8_t status, struct str text)
{
	struct order *o = take_order(sv, ticket);

	/* Whoever asked may have gone. */
	if (o == NULL)
		return;
	o->status = status;
	o->text = mem_copy(text);
	put_last(&sv->answered, o);
	sv->sync_due = true;
}

bool order_done(struct server *sv, struct wire_reader *r)
{
	uint32_t ticket;
	uint8_t status;
	struct str text;

	if (!queue_get_ordered(r, &ticket, &status, &text))
		return false;
	answered(sv, ticket, status, text);
	return true;
}

bool order_edit(struct server *sv, struct wire_reader *r)
{
	uint32_t ticket = wire_get_u32(r);
	uint64_t id = wire_get_u64(r);
	uint32_t recipient = wire_get_u32(r);
	struct str address = wire_get_str(r, QUEUE_ADDRESS_MAX);
	struct err e;

	if (!wire_end(r))
		return false;
	/* After a failure the scheduler's own word finds no order any more. */
	if (!edit(sv, id, recipient, address, &e))
		answered(sv, ticket, e.kind == ERR_PERMANENT ? ORDER_REFUSED : ORDER_FAILED, str_of(e.text));
	return true;
}

static void order_free(struct order *o)
{
	free(o->text);
	free(o);
}

void orders_answer(struct server *sv, bool ok, const struct err *e)
{
	struct order *o = sv->answered.first, *next;

	sv->answered = (struct order_list){ 0 };
	for (; o; o = next) {
		next = o->next;
		if (!ok && o->status == ORDER_OK)
			tell(o->from, o->their_ticket, ORDER_FAILED, e->text);
		else
			tell(o->from, o->their_ticket, o->status, o->text);
		order_free(o);
	}
}

static bool is_from(const struct order *o, const void *manager)
{
	return o->from == manager;
}

static void drop_from(struct order_list *l, const struct manager *g)
{
	for (struct order *o = take_those(l, is_from, g).first, *next; o; o = next) {
		next = o->next;
		order_free(o);
	}
}

void orders_forget(struct server *sv, const struct manager *g)
{
	drop_from(&sv->orders, g);
	drop_from(&sv->answered, g);
	if (sv->scheduler != NULL)
		return;
	/* It was the scheduler: whether it had begun with these, nobody knows. */
	for (struct order *o; (o = sv->orders.first) != NULL;) {
		sv->orders.first = o->next;
		tell(o->from, o->their_ticket, ORDER_FAILED,
		     "qmail-send went away; look what has become of the message");
		order_free(o);
	}
}

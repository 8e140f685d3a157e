#include "queuequery/queuemessage.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"

#define WINDOW 1000 /* orders on the way: they share syncs */

/* A place in the text of a message that is still growing. */
struct place {
	size_t at, n;
};

/* A message of which packets are coming. */
struct incoming {
	bool any;
	struct queue_message m;
	struct buf text;
	struct place sender, attributes;
	struct place *addresses, *extras, *answers; /* one each for every recipient */
	uint32_t room;
};

static void incoming_free(struct incoming *in)
{
	buf_free(&in->text);
	free(in->m.recipients);
	free(in->addresses);
	free(in->extras);
	free(in->answers);
}

static struct place keep(struct incoming *in, struct str s)
{
	struct place p = { in->text.n, s.n };

	buf_add(&in->text, s);
	return p;
}

static struct str at(const struct incoming *in, struct place p)
{
	return p.n ? (struct str){ in->text.p + p.at, p.n } : STR("");
}

static void begin(struct incoming *in, const struct message_packet *p)
{
	in->any = true;
	buf_clear(&in->text);
	in->m = (struct queue_message){ .id = p->id,
					.birth = (int64_t)p->birth,
					.due = (int64_t)p->due,
					.size = p->size,
					.uid = p->uid,
					.pid = p->pid,
					.flags = p->flags,
					.recipients = in->m.recipients };
	in->sender = keep(in, p->sender);
	in->attributes = keep(in, p->attributes);
}

static void make_room(struct incoming *in, uint32_t n)
{
	if (n <= in->room)
		return;
	in->room = n > 2 * in->room ? n : 2 * in->room;
	in->m.recipients = mem_array(in->m.recipients, in->room, sizeof *in->m.recipients);
	in->addresses = mem_array(in->addresses, in->room, sizeof *in->addresses);
	in->extras = mem_array(in->extras, in->room, sizeof *in->extras);
	in->answers = mem_array(in->answers, in->room, sizeof *in->answers);
}

/* r stands behind the type of a MESSAGE packet. */
static bool take_message(struct incoming *in, const struct message_packet *p, struct wire_reader *r)
{
	if (p->first == 0)
		begin(in, p);
	if (!in->any || p->id != in->m.id || p->first != in->m.nrecipients)
		return false;
	make_room(in, p->first + p->count);
	for (uint32_t i = 0; i < p->count; i++) {
		uint32_t k = in->m.nrecipients++;
		struct str address, attributes;

		in->m.recipients[k] = (struct queue_recipient){ 0 };
		in->answers[k] = (struct place){ 0 };
		if (!queue_get_recipient_all(r, &in->m.recipients[k].done, &address, &attributes))
			return false;
		in->addresses[k] = keep(in, address);
		in->extras[k] = keep(in, attributes);
	}
	return wire_end(r);
}

static bool take_answer(struct incoming *in, struct wire_reader *r)
{
	uint64_t id = wire_get_u64(r);
	uint32_t recipient = wire_get_u32(r);
	uint8_t letter = wire_get_u8(r);
	struct str text = wire_get_str(r, QUEUE_PACKET_MAX);

	if (!wire_end(r) || !in->any || id != in->m.id || recipient >= in->m.nrecipients)
		return false;
	in->m.recipients[recipient].letter = (char)letter;
	in->answers[recipient] = keep(in, text);
	return true;
}

/* All of it is here: the views can be made. */
static const struct queue_message *complete(struct incoming *in)
{
	in->m.sender = at(in, in->sender);
	in->m.attributes = at(in, in->attributes);
	for (uint32_t i = 0; i < in->m.nrecipients; i++) {
		in->m.recipients[i].address = at(in, in->addresses[i]);
		in->m.recipients[i].attributes = at(in, in->extras[i]);
		in->m.recipients[i].answer = at(in, in->answers[i]);
	}
	in->any = false;
	return &in->m;
}

/* ---- all messages --------------------------------------------------------------------------- */

static bool read_all(int fd, struct incoming *in, bool (*each)(void *ctx, const struct queue_message *m), void *ctx,
		     struct err *e)
{
	struct buf b = BUF_INIT(QUEUE_PACKET_MAX);
	bool ok, more = true;

	while ((ok = queuequery_receive(fd, &b, NULL, e)) && more) {
		struct wire_reader r = wire_reader(buf_str(&b));
		uint8_t type = wire_get_u8(&r);
		struct message_packet p;

		if (type == PACKET_MESSAGE && queue_get_message(&r, &p)) {
			/* What came before it is complete now. */
			more = p.first || !in->any || each(ctx, complete(in));
			ok = take_message(in, &p, &r);
		} else if (type == PACKET_ANSWER) {
			ok = take_answer(in, &r);
		} else {
			ok = type == PACKET_READY;
			if (ok && in->any)
				each(ctx, complete(in));
			more = false;
		}
		if (!ok)
			queuequery_strange(e);
		if (!ok || !more)
			break;
	}
	buf_free(&b);
	return ok;
}

bool queue_each(uint8_t want, bool (*each)(void *ctx, const struct queue_message *m), void *ctx, struct err *e)
{
	struct incoming in = { .text = BUF_INIT(SIZE_MAX) };
	char request[2] = { PACKET_LIST, (char)(want | OPEN_ENVELOPE) };
	int fd;
	bool ok;

	if (!queuequery_connect(&fd, e))
		return false;
	ok = queuequery_send(fd, (struct str){ request, sizeof request }, e) && read_all(fd, &in, each, ctx, e);
	close(fd);
	incoming_free(&in);
	return ok;
}

/* ---- one message ------------------------------------------------------------------------------ */

/* What a CONTENT packet brought: status 1 means later, 2 that there is none. */
static bool got_content(struct wire_reader *r, uint64_t id, int content, struct err *e)
{
	uint64_t which = wire_get_u64(r);
	uint8_t status = wire_get_u8(r);

	if (!wire_end(r) || which != id)
		return queuequery_strange(e);
	if (status == 2)
		return err_perm(e, "there is no message %llu in the queue", (unsigned long long)id);
	if (status != 0 || content == -1)
		return err_temp(e, "message %llu cannot be read at the moment", (unsigned long long)id);
	return true;
}

static bool read_one(int fd, uint64_t id, struct incoming *in, int *content, struct err *e)
{
	struct buf b = BUF_INIT(QUEUE_PACKET_MAX);
	bool ok, done = false;

	while (!done && (ok = queuequery_receive(fd, &b, content, e))) {
		struct wire_reader r = wire_reader(buf_str(&b));
		uint8_t type = wire_get_u8(&r);
		struct message_packet p;

		if (type == PACKET_CONTENT) {
			ok = got_content(&r, id, *content, e);
			done = true;
		} else if (type == PACKET_MESSAGE) {
			ok = (queue_get_message(&r, &p) && take_message(in, &p, &r)) || queuequery_strange(e);
		} else {
			ok = (type == PACKET_ANSWER && take_answer(in, &r)) || queuequery_strange(e);
		}
		if (!ok)
			break;
	}
	buf_free(&b);
	return ok;
}

bool queue_with(int fd, uint64_t id, void (*each)(void *ctx, const struct queue_message *m, int content), void *ctx,
		struct err *e)
{
	struct incoming in = { .text = BUF_INIT(SIZE_MAX) };
	struct buf request = BUF_INIT(32);
	int content = -1;
	bool ok;

	wire_put_u8(&request, PACKET_OPEN);
	wire_put_u64(&request, id);
	wire_put_u8(&request, OPEN_ENVELOPE | OPEN_CONTENT | OPEN_ANSWERS);
	ok = queuequery_send(fd, buf_str(&request), e) && read_one(fd, id, &in, &content, e);
	if (ok)
		each(ctx, complete(&in), content);
	if (content != -1)
		close(content);
	buf_free(&request);
	incoming_free(&in);
	return ok;
}

/* ---- orders --------------------------------------------------------------------------------------- */

static bool give(int fd, const struct queue_orders *o, size_t i, struct err *e)
{
	struct order_packet p = {
		.ticket = (uint32_t)i, .id = o->ids[i], .order = (uint8_t)o->order, .one = o->one, .two = o->two
	};
	struct buf b = BUF_INIT(QUEUE_PACKET_MAX);
	bool ok;

	queue_put_order(&b, &p, false);
	ok = queuequery_send(fd, buf_str(&b), e);
	buf_free(&b);
	return ok;
}

static bool hear(int fd, const struct queue_orders *o, struct buf *b, struct err *e)
{
	struct wire_reader r;
	uint32_t ticket;
	uint8_t status;
	struct str text;

	if (!queuequery_receive(fd, b, NULL, e))
		return false;
	r = wire_reader(buf_str(b));
	if (wire_get_u8(&r) != PACKET_ORDERED || !queue_get_ordered(&r, &ticket, &status, &text) || ticket >= o->n ||
	    status > ORDER_FAILED)
		return queuequery_strange(e);
	o->told(o->ctx, o->ids[ticket], (enum order_status)status, text);
	return true;
}

bool queue_give_orders(const struct queue_orders *o, struct err *e)
{
	struct buf b = BUF_INIT(QUEUE_PACKET_MAX);
	size_t given = 0, heard = 0;
	bool ok = true;
	int fd;

	if (o->one.n > ORDER_TEXT_MAX || o->two.n > ORDER_TEXT_MAX)
		return err_perm(e, "that is too long");
	if (!queuequery_connect(&fd, e))
		return false;
	while (ok && heard < o->n) {
		if (given < o->n && given - heard < WINDOW)
			ok = give(fd, o, given++, e);
		else if ((ok = hear(fd, o, &b, e)))
			heard++;
	}
	close(fd);
	buf_free(&b);
	return ok;
}

static void keep_answer(void *ctx, uint64_t id, enum order_status status, struct str text)
{
	struct err *e = ctx;

	(void)id;
	if (status != ORDER_OK)
		err_temp(e, "%.*s", STR_ARG(text));
}

bool queue_reread(struct err *e)
{
	static const uint64_t none = 0;
	struct err answer = { 0 };
	const struct queue_orders o = {
		.order = ORDER_REREAD, .ids = &none, .n = 1, .told = keep_answer, .ctx = &answer
	};

	if (!queue_give_orders(&o, e))
		return false;
	if (answer.text[0] == 0)
		return true;
	*e = answer;
	return false;
}

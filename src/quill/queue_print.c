#include "quill/queue_print.h"

#include <stdio.h>

#include "base/date.h"
#include "base/json.h"
#include "sys/clock.h"
#include "wire/attribute.h"

/* What attributes are called. */
static const struct {
	uint8_t which;
	const char *name, *key;
} attributes[] = {
	{ ATTR_TRACE, "trace", "trace" },
	{ ATTR_MESSAGE_ID, "Message-ID", "messageid" },
	{ ATTR_PROTOCOL, "protocol", "protocol" },
	{ ATTR_CLIENT_IP, "client address", "client" },
	{ ATTR_CLIENT_NAME, "client name", "clientname" },
	{ ATTR_HELO, "said HELO", "helo" },
	{ ATTR_AUTH_USER, "authenticated as", "user" },
	{ ATTR_TLS, "TLS", "tls" },
	{ ATTR_DSN_ENVID, "ENVID", "envid" },
	{ ATTR_DSN_RET, "RET", "ret" },
};

bool queue_printer_init(struct queue_printer *p, struct err *e)
{
	*p = (struct queue_printer){ .now = clock_wall(), .out = BUF_INIT(SIZE_MAX), .deliver = BUF_INIT(SIZE_MAX) };
	return route_load(&p->routes, e);
}

void queue_printer_free(struct queue_printer *p)
{
	route_free(&p->routes);
	buf_free(&p->out);
	buf_free(&p->deliver);
}

void queue_put_age(struct buf *b, int64_t seconds)
{
	if (seconds < 120)
		buf_addf(b, "%llds", (long long)seconds);
	else if (seconds < 7200)
		buf_addf(b, "%lldm", (long long)(seconds / 60));
	else if (seconds < 172800)
		buf_addf(b, "%lldh", (long long)(seconds / 3600));
	else
		buf_addf(b, "%lldd", (long long)(seconds / 86400));
}

void queue_put_text(struct buf *b, struct str text, const char *indent)
{
	struct str line;

	while (str_next_line(&text, &line)) {
		buf_addz(b, indent);
		for (size_t i = 0; i < line.n; i++) {
			unsigned char c = (unsigned char)line.p[i];

			/* What could drive a terminal is not shown; the second half of UTF-8 is. */
			buf_addc(b, (c < 32 && c != '\t') || c == 127 ? '?' : line.p[i]);
		}
		buf_addc(b, '\n');
	}
}

static void put_state(struct queue_printer *p, const struct queue_message *m)
{
	unsigned states = queue_message_states(m, p->now);

	if (states & QUEUE_STATE_HELD)
		buf_addz(&p->out, "held");
	else if (states & QUEUE_STATE_NEW)
		buf_addz(&p->out, "due");
	else {
		buf_addz(&p->out, "next attempt in ");
		queue_put_age(&p->out, m->due - p->now);
	}
	if (states & QUEUE_STATE_FAILED)
		buf_addz(&p->out, ", some recipients failed");
}

static void put_recipient(struct queue_printer *p, const struct queue_recipient *r)
{
	struct str destination;
	enum route_channel channel = queue_destination(&p->routes, r->address, &p->deliver, &destination);

	buf_addf(&p->out, "    %-7s %-6s ",
		 r->letter == 'D' ? "failed"
		 : r->done        ? "done"
				  : "waiting",
		 channel == ROUTE_LOCAL ? "local" : "remote");
	buf_add_visible(&p->out, buf_str(&p->deliver));
	if (!str_eq(buf_str(&p->deliver), r->address)) {
		buf_addz(&p->out, "  (given as ");
		buf_add_visible(&p->out, r->address);
		buf_addc(&p->out, ')');
	}
	buf_addc(&p->out, '\n');
	queue_put_text(&p->out, r->answer, "            ");
}

static void put_details(struct queue_printer *p, const struct queue_message *m)
{
	buf_addz(&p->out, "    accepted          ");
	date_add_822(&p->out, m->birth);
	buf_addf(&p->out, " from process %lu of uid %lu\n", (unsigned long)m->pid, (unsigned long)m->uid);
	if (m->due > p->now && !queue_message_held(m)) {
		buf_addz(&p->out, "    next attempt      ");
		date_add_822(&p->out, m->due);
		buf_addc(&p->out, '\n');
	}
	for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++) {
		struct str value = queue_attribute(m->attributes, attributes[i].which);

		if (value.n == 0)
			continue;
		buf_addf(&p->out, "    %-17s ", attributes[i].name);
		buf_add_visible(&p->out, value);
		buf_addc(&p->out, '\n');
	}
}

static void put_plain(struct queue_printer *p, const struct queue_message *m, bool details)
{
	buf_addf(&p->out, "%llu  ", (unsigned long long)m->id);
	queue_put_age(&p->out, p->now - m->birth);
	buf_addf(&p->out, "  %llu bytes  from <", (unsigned long long)m->size);
	buf_add_visible(&p->out, m->sender);
	buf_addz(&p->out, ">  ");
	put_state(p, m);
	buf_addc(&p->out, '\n');
	if (details)
		put_details(p, m);
	for (uint32_t i = 0; i < m->nrecipients; i++)
		put_recipient(p, &m->recipients[i]);
}

/* ---- JSON ---------------------------------------------------------------------------------- */

static void put_json_recipient(struct queue_printer *p, struct buf *b, const struct queue_recipient *r)
{
	struct str destination;
	enum route_channel channel = queue_destination(&p->routes, r->address, &p->deliver, &destination);

	buf_addz(b, b->p[b->n - 1] == '[' ? "{" : ",{");
	json_str(b, "address", r->address);
	json_str(b, "deliverto", buf_str(&p->deliver));
	json_str(b, "channel", channel == ROUTE_LOCAL ? STR("local") : STR("remote"));
	json_str(b, "destination", destination);
	json_str(b, "state", r->letter == 'D' ? STR("failed") : r->done ? STR("done") : STR("waiting"));
	if (r->answer.n)
		json_str(b, "answer", r->answer);
	buf_addc(b, '}');
}

void queue_put_json(struct queue_printer *p, struct buf *b, const struct queue_message *m)
{
	unsigned states = queue_message_states(m, p->now);

	json_u64(b, "id", m->id);
	json_time(b, "accepted", m->birth);
	json_u64(b, "age", p->now > m->birth ? (uint64_t)(p->now - m->birth) : 0);
	json_u64(b, "size", m->size);
	json_str(b, "sender", m->sender);
	json_str(b, "state",
		 states & QUEUE_STATE_HELD  ? STR("held")
		 : states & QUEUE_STATE_NEW ? STR("due")
					    : STR("deferred"));
	json_bool(b, "failed", states & QUEUE_STATE_FAILED);
	if (states & QUEUE_STATE_DEFERRED)
		json_time(b, "next", m->due);
	json_u64(b, "uid", m->uid);
	json_u64(b, "pid", m->pid);
	for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++) {
		struct str value = queue_attribute(m->attributes, attributes[i].which);

		if (value.n)
			json_str(b, attributes[i].key, value);
	}
	json_key(b, "recipients");
	buf_addc(b, '[');
	for (uint32_t i = 0; i < m->nrecipients; i++)
		put_json_recipient(p, b, &m->recipients[i]);
	buf_addc(b, ']');
}

void queue_print_message(struct queue_printer *p, const struct queue_message *m, bool details)
{
	buf_clear(&p->out);
	if (p->json) {
		buf_addc(&p->out, '{');
		queue_put_json(p, &p->out, m);
		buf_addz(&p->out, "}\n");
	} else {
		put_plain(p, m, details);
	}
	fwrite(p->out.p, 1, p->out.n, stdout);
}

/*
 * send_log: the log of qmail-send on descriptor 0, byte for byte as log tools
 * expect it (contract §8.7), and beside it, if control/logformat asks for
 * that, each event as a JSON object.
 */
#include <stdarg.h>
#include <stdio.h>

#include "base/json.h"
#include "qmail-send/send.h"
#include "sys/clock.h"
#include "sys/io.h"
#include "wire/attribute.h"

#define FLUSH_AT 32768
#define LOG_FD 0

static struct buf out = { .limit = SIZE_MAX }, object = { .limit = SIZE_MAX };
static enum log_format format;

void log_flush(void)
{
	if (out.n)
		io_write_all(LOG_FD, out.p, out.n);
	buf_clear(&out);
}

static void end_line(void)
{
	buf_addc(&out, '\n');
	if (out.n >= FLUSH_AT)
		log_flush();
}

void log_set_format(enum log_format f)
{
	format = f;
}

static bool lines_wanted(void)
{
	return format != LOG_JSON_ONLY;
}

/* ---- events as JSON ---------------------------------------------------------------------- */

/* What is appended to `object` until end_event belongs to the event. False: none is wanted. */
static bool begin_event(const char *name)
{
	if (format == LOG_QMAIL)
		return false;
	buf_clear(&object);
	buf_addc(&object, '{');
	json_time(&object, "time", clock_wall());
	json_str(&object, "event", str_of(name));
	return true;
}

static void end_event(void)
{
	buf_addc(&object, '}');
	buf_add(&out, buf_str(&object));
	end_line();
}

/* The trace id is known while the envelope is loaded, which it is during deliveries. */
static void add_message(const struct msg *m)
{
	const struct envelope *env = m->envelope;
	struct str trace = env ? queue_attribute(envelope_attributes(env), ATTR_TRACE) : STR("");

	json_u64(&object, "msg", m->id);
	if (trace.n)
		json_str(&object, "trace", trace);
}

static void add_attributes(const struct envelope *env)
{
	static const struct {
		uint8_t which;
		const char *key;
	} shown[] = {
		{ ATTR_MESSAGE_ID, "messageid" },
		{ ATTR_PROTOCOL, "protocol" },
		{ ATTR_CLIENT_IP, "client" },
		{ ATTR_CLIENT_NAME, "clientname" },
		{ ATTR_HELO, "helo" },
		{ ATTR_AUTH_USER, "user" },
		{ ATTR_TLS, "tls" },
	};

	for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
		struct str value = queue_attribute(envelope_attributes(env), shown[i].which);

		if (value.n)
			json_str(&object, shown[i].key, value);
	}
}

/* A line that has no event of its own: its first word says how bad it is. */
static void text_event(struct str line)
{
	struct str kind, text;

	if (!str_cut(line, ':', &kind, &text) || !(str_eq(kind, STR("warning")) || str_eq(kind, STR("alert")))) {
		kind = STR("note");
		text = line;
	}
	if (!begin_event(str_eq(kind, STR("alert")) ? "alert" : str_eq(kind, STR("warning")) ? "warning" : "note"))
		return;
	json_str(&object, "text", str_trim_start(text));
	end_event();
}

/* ---- lines ---------------------------------------------------------------------------------- */

static void add_line(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));

static void add_line(const char *fmt, va_list ap)
{
	char line[1200];

	vsnprintf(line, sizeof line, fmt, ap);
	for (char *p = line; *p; p++)
		if ((unsigned char)*p < 32 || *p == 127)
			*p = '?';
	buf_addz(&out, line);
	end_line();
}

/* Only where lines are wanted; the event is said otherwise. */
static void plain_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void plain_line(const char *fmt, ...)
{
	va_list ap;

	if (!lines_wanted())
		return;
	va_start(ap, fmt);
	add_line(fmt, ap);
	va_end(ap);
}

void log_line(const char *fmt, ...)
{
	char line[1200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	plain_line("%s", line);
	text_event(str_of(line));
}

/* One word, whatever is in it: LF becomes '/', anything that is not a visible ASCII byte '_'. */
static void add_word(struct str s)
{
	char *room = buf_room(&out, s.n);

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		room[i] = c == '\n' ? '/' : c < 33 || c > 126 || c == '%' ? '_' : c;
	}
	buf_wrote(&out, s.n);
}

void log_new_message(const struct msg *m)
{
	const struct envelope *env = m->envelope;

	if (lines_wanted()) {
		buf_addf(&out, "new msg %llu\ninfo msg %llu: bytes %llu from <", (unsigned long long)m->id,
			 (unsigned long long)m->id, (unsigned long long)env->size);
		add_word(envelope_sender(env));
		buf_addf(&out, "> qp %lu uid %lu", (unsigned long)env->pid, (unsigned long)env->uid);
		end_line();
	}
	if (!begin_event("new"))
		return;
	add_message(m);
	json_u64(&object, "size", env->size);
	json_str(&object, "sender", envelope_sender(env));
	json_u64(&object, "recipients", env->total);
	json_u64(&object, "qp", env->pid);
	json_u64(&object, "uid", env->uid);
	add_attributes(env);
	end_event();
}

/* What the events of one delivery have in common. */
static void add_delivery(const struct log_delivery *d)
{
	const struct envelope *env = d->m->envelope;

	json_u64(&object, "delivery", d->number);
	add_message(d->m);
	if (env && d->recipient < env->nrecipients)
		json_str(&object, "recipient", envelope_recipient(env, d->recipient));
}

void log_starting(const struct log_delivery *d, int channel, struct str to)
{
	if (lines_wanted()) {
		buf_addf(&out, "starting delivery %llu: msg %llu to %s ", (unsigned long long)d->number,
			 (unsigned long long)d->m->id, channel == SCHED_LOCAL ? "local" : "remote");
		add_word(to);
		end_line();
	}
	if (!begin_event("start"))
		return;
	add_delivery(d);
	json_str(&object, "channel", channel == SCHED_LOCAL ? STR("local") : STR("remote"));
	json_str(&object, "to", to);
	end_event();
}

void log_report(const struct log_delivery *d, char letter, struct str text)
{
	const char *word = letter == 'K' ? "success" : letter == 'D' ? "failure" : "deferral";

	if (lines_wanted()) {
		buf_addf(&out, "delivery %llu: %s: ", (unsigned long long)d->number, word);
		add_word(text);
		end_line();
	}
	if (!begin_event(word))
		return;
	add_delivery(d);
	json_str(&object, "text", text);
	end_event();
}

void log_status(const struct sender *s)
{
	static const char *const names[SCHED_CHANNELS] = { "local", "remote" };

	plain_line("status: local %lu/%lu remote %lu/%lu%s", (unsigned long)deliveries_running_in(s, SCHED_LOCAL),
		   (unsigned long)s->config.concurrency[SCHED_LOCAL],
		   (unsigned long)deliveries_running_in(s, SCHED_REMOTE),
		   (unsigned long)s->config.concurrency[SCHED_REMOTE], s->exiting ? " exitasap" : "");
	if (!begin_event("status"))
		return;
	for (int c = 0; c < SCHED_CHANNELS; c++)
		json_u64(&object, names[c], deliveries_running_in(s, c));
	json_bool(&object, "exiting", s->exiting);
	end_event();
}

void log_end(const struct msg *m)
{
	plain_line("end msg %llu", (unsigned long long)m->id);
	if (!begin_event("end"))
		return;
	add_message(m);
	end_event();
}

void log_bounce(const struct msg *m, unsigned long qp)
{
	plain_line("bounce msg %llu qp %lu", (unsigned long long)m->id, qp);
	if (!begin_event("bounce"))
		return;
	add_message(m);
	json_u64(&object, "qp", qp);
	end_event();
}

void log_notice(const struct msg *m, const char *kind, unsigned long qp)
{
	plain_line("%s notice msg %llu qp %lu", kind, (unsigned long long)m->id, qp);
	if (!begin_event("notice"))
		return;
	add_message(m);
	json_str(&object, "kind", str_of(kind));
	json_u64(&object, "qp", qp);
	end_event();
}

void log_order(uint64_t message, const char *order, uint32_t uid, const char *refusal)
{
	plain_line("operator: %s msg %llu by uid %lu%s%s", order, (unsigned long long)message, (unsigned long)uid,
		   refusal ? " refused: " : "", refusal ? refusal : "");
	if (!begin_event("operator"))
		return;
	json_u64(&object, "msg", message);
	json_str(&object, "order", str_of(order));
	json_u64(&object, "uid", uid);
	if (refusal)
		json_str(&object, "refused", str_of(refusal));
	end_event();
}

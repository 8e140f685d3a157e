#include "maillog/logevent.h"

#include "base/date.h"
#include "base/jsonread.h"
#include "base/tai64n.h"

#define FIELD_MAX (256u << 10)

void log_event_init(struct log_event *e)
{
	*e = (struct log_event){ 0 };
	e->when = e->sender = e->recipient = e->to = e->text = e->trace = e->messageid = e->client = e->scratch =
	    BUF_INIT(FIELD_MAX);
}

void log_event_free(struct log_event *e)
{
	struct buf *all[] = { &e->when,  &e->sender,    &e->recipient, &e->to,     &e->text,
			      &e->trace, &e->messageid, &e->client,    &e->scratch };

	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		buf_free(all[i]);
}

static void clear(struct log_event *e)
{
	struct buf *all[] = { &e->when, &e->sender, &e->recipient, &e->to,
			      &e->text, &e->trace,  &e->messageid, &e->client };

	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		buf_clear(all[i]);
	e->kind = LOG_OTHER;
	e->json = e->has_msg = false;
	e->msg = e->delivery = e->size = e->qp = e->uid = 0;
}

/* ---- the time ------------------------------------------------------------------------------ */

static void put_time(struct buf *b, int64_t t)
{
	struct date d = date_of(t);

	buf_addf(b, "%04lld-%02d-%02d %02d:%02d:%02d", (long long)d.year, d.month, d.day, d.hour, d.minute, d.second);
}

static bool label(struct str s, int64_t *t)
{
	struct tai64n found;

	if (!tai64n_scan(s, &found))
		return false;
	*t = tai64n_unix(found);
	return *t > 0 && *t < (int64_t)1 << 40;
}

/* "1795255563.123456", as splogger writes it. */
static bool seconds_and_micros(struct str s, int64_t *t)
{
	struct str whole, rest;
	uint64_t v;

	if (!str_cut(s, '.', &whole, &rest) || whole.n < 9 || whole.n > 11 || !str_to_u64(whole, &v))
		return false;
	*t = (int64_t)v;
	return true;
}

/* What stands in front of the event; the last word of it that is a time counts, else all of it. */
static void read_time(struct str prefix, struct log_event *e)
{
	struct str rest = prefix, word;
	bool known = false;
	int64_t t = 0, found;

	while (rest.n) {
		str_cut(rest, ' ', &word, &rest);
		if (label(word, &found) || seconds_and_micros(word, &found)) {
			t = found;
			known = true;
		}
	}
	if (known)
		put_time(&e->when, t);
	else
		buf_add_visible(&e->when, str_trim_end(str_head(prefix, 15)));
	for (size_t i = 0; i < e->when.n; i++)
		if (e->when.p[i] == '_')
			e->when.p[i] = ' ';
}

/* ---- lines -------------------------------------------------------------------------------------- */

/* Takes `words` off the front of *s. */
static bool words(struct str *s, const char *text)
{
	struct str w = str_of(text);

	if (!str_starts(*s, w))
		return false;
	*s = str_from(*s, w.n);
	return true;
}

static bool number(struct str *s, uint64_t *v)
{
	size_t n = 0;

	while (n < s->n && chr_digit(s->p[n]))
		n++;
	if (!str_to_u64(str_head(*s, n), v))
		return false;
	*s = str_from(*s, n);
	return true;
}

/* A word of the log, with the blanks that it had perhaps. */
static void put_words(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		buf_addc(b, s.p[i] == '_' ? ' ' : s.p[i]);
}

static bool read_info(struct str s, struct log_event *e)
{
	struct str sender, rest;
	size_t end;

	if (!number(&s, &e->msg) || !words(&s, ": bytes ") || !number(&s, &e->size) || !words(&s, " from <"))
		return false;
	end = str_find(s, STR("> qp "));
	sender = str_head(s, end);
	rest = str_from(s, end);
	buf_add(&e->sender, sender);
	return words(&rest, "> qp ") && number(&rest, &e->qp) && words(&rest, " uid ") && number(&rest, &e->uid);
}

static bool read_start(struct str s, struct log_event *e)
{
	if (!number(&s, &e->delivery) || !words(&s, ": msg ") || !number(&s, &e->msg) || !words(&s, " to "))
		return false;
	buf_add(&e->to, s);
	return str_starts(s, STR("local ")) || str_starts(s, STR("remote "));
}

static bool read_result(struct str s, struct log_event *e)
{
	if (!number(&s, &e->delivery) || !words(&s, ": "))
		return false;
	e->kind = words(&s, "success: ")    ? LOG_SUCCESS
		  : words(&s, "deferral: ") ? LOG_DEFERRAL
		  : words(&s, "failure: ")  ? LOG_FAILURE
					    : LOG_OTHER;
	put_words(&e->text, s);
	return e->kind != LOG_OTHER;
}

static bool read_bounce(struct str s, struct log_event *e)
{
	return number(&s, &e->msg) && words(&s, " qp ") && number(&s, &e->qp);
}

static bool read_number(struct str s, struct log_event *e)
{
	return number(&s, &e->msg);
}

static bool read_operator(struct str s, struct log_event *e)
{
	size_t at = str_find(s, STR(" msg "));
	struct str rest = str_from(s, at);

	if (!words(&rest, " msg ") || !number(&rest, &e->msg))
		return false;
	buf_add(&e->text, str_head(s, at));
	buf_add(&e->text, rest);
	return true;
}

static const struct form {
	const char *begin;
	enum log_kind kind;
	bool (*read)(struct str rest, struct log_event *e);
} forms[] = {
	{ "new msg ", LOG_NEW, read_number },
	{ "info msg ", LOG_INFO, read_info },
	{ "starting delivery ", LOG_START, read_start },
	{ "delivery ", LOG_OTHER, read_result },
	{ "bounce msg ", LOG_BOUNCE, read_bounce },
	{ "end msg ", LOG_END, read_number },
	{ "operator: ", LOG_OPERATOR, read_operator },
};

/* ---- objects --------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	enum log_kind kind;
} names[] = {
	{ "new", LOG_NEW },           { "start", LOG_START },     { "success", LOG_SUCCESS },
	{ "deferral", LOG_DEFERRAL }, { "failure", LOG_FAILURE }, { "bounce", LOG_BOUNCE },
	{ "operator", LOG_OPERATOR }, { "end", LOG_END },
};

static uint64_t member_number(struct str object, const char *key, struct log_event *e)
{
	uint64_t v = 0;

	if (!json_member(object, key, &e->scratch) || !str_to_u64(buf_str(&e->scratch), &v))
		return 0;
	return v;
}

static void member(struct str object, const char *key, struct buf *out)
{
	if (!json_member(object, key, out))
		buf_clear(out);
}

static void read_object(struct str object, struct log_event *e)
{
	if (!json_member(object, "event", &e->scratch))
		return;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (str_eq(buf_str(&e->scratch), str_of(names[i].name)))
			e->kind = names[i].kind;
	e->json = e->has_msg = true;
	e->msg = member_number(object, "msg", e);
	e->delivery = member_number(object, "delivery", e);
	e->size = member_number(object, "size", e);
	e->qp = member_number(object, "qp", e);
	e->uid = member_number(object, "uid", e);
	member(object, "sender", &e->sender);
	member(object, "recipient", &e->recipient);
	member(object, "trace", &e->trace);
	member(object, "messageid", &e->messageid);
	member(object, "client", &e->client);
	member(object, e->kind == LOG_OPERATOR ? "order" : "text", &e->text);
	if (json_member(object, "channel", &e->to)) {
		member(object, "to", &e->scratch);
		buf_addc(&e->to, ' ');
		buf_add(&e->to, buf_str(&e->scratch));
	} else {
		buf_clear(&e->to);
	}
	/* The same form as everywhere: without T and Z. */
	buf_clear(&e->when);
	if (json_member(object, "time", &e->scratch) && e->scratch.n == 20) {
		buf_add(&e->when, str_head(buf_str(&e->scratch), 19));
		e->when.p[10] = ' ';
	}
}

/* An event begins a line, or a word of it. */
static bool begins_word(struct str line, size_t at)
{
	return at == 0 || line.p[at - 1] == ' ';
}

void log_event_read(struct str line, struct log_event *e)
{
	clear(e);
	for (size_t at = 0; at < line.n; at++) {
		struct str rest = str_from(line, at);

		if (!begins_word(line, at))
			continue;
		if (rest.p[0] == '{') {
			read_object(rest, e);
			return;
		}
		for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
			struct str s = rest;

			if (!words(&s, forms[i].begin))
				continue;
			e->kind = forms[i].kind;
			e->has_msg = forms[i].read != read_result;
			if (!forms[i].read(s, e))
				clear(e);
			else
				read_time(str_head(line, at), e);
			return;
		}
	}
}

#include "analog/pairing.h"

#include <inttypes.h>
#include <stdlib.h>

#include "analog/wordmap.h"
#include "base/mem.h"
#include "base/tai64n.h"

#define FIELDS_MAX 20

struct message {
	char *birth, *bytes, *sender, *qp, *uid; /* sender with its angle brackets */
	uint64_t k, d, z;
};

struct delivery {
	char *start, *message, *channel, *recipient;
};

struct pairing {
	struct wordmap messages, deliveries; /* by their numbers */
};

struct fields {
	struct str f[FIELDS_MAX]; /* those that are missing are empty */
	size_t n;
	struct buf time; /* behind f[0], if that was a label */
};

static void free_message(void *value)
{
	struct message *m = value;

	if (m == NULL)
		return;
	free(m->birth);
	free(m->bytes);
	free(m->sender);
	free(m->qp);
	free(m->uid);
	free(m);
}

static void free_delivery(void *value)
{
	struct delivery *d = value;

	if (d == NULL)
		return;
	free(d->start);
	free(d->message);
	free(d->channel);
	free(d->recipient);
	free(d);
}

struct pairing *pairing_start(struct hash_key key)
{
	struct pairing *p = mem_zero(1, sizeof *p);

	p->messages = WORDMAP_INIT(key);
	p->deliveries = WORDMAP_INIT(key);
	return p;
}

void pairing_free(struct pairing *p)
{
	wordmap_clear(&p->messages, free_message);
	wordmap_clear(&p->deliveries, free_delivery);
	free(p);
}

static bool blank(char c)
{
	return c == ' ' || c == '\t';
}

static void split(struct fields *f, struct str line)
{
	struct tai64n t;
	size_t i = 0;

	while (f->n < FIELDS_MAX) {
		size_t begin;

		while (i < line.n && blank(line.p[i]))
			i++;
		if (i == line.n)
			break;
		begin = i;
		while (i < line.n && !blank(line.p[i]))
			i++;
		f->f[f->n++] = (struct str){ line.p + begin, i - begin };
	}
	if (f->n && tai64n_scan(f->f[0], &t)) {
		buf_addf(&f->time, "%" PRId64 ".%09u", tai64n_unix(t), t.nanoseconds);
		f->f[0] = buf_str(&f->time);
	}
}

static char *lower_copy(struct str s)
{
	char *copy = mem_copy(s);

	for (size_t i = 0; i < s.n; i++)
		copy[i] = chr_lower(copy[i]);
	return copy;
}

static struct str without_colon(struct str s)
{
	return s.n && s.p[s.n - 1] == ':' ? str_head(s, s.n - 1) : s;
}

/* new msg N */
static void begin_message(struct pairing *p, const struct fields *f)
{
	free_message(wordmap_take(&p->messages, f->f[3]));
}

/* info msg N: bytes B from <S> qp Q uid U */
static void describe_message(struct pairing *p, const struct fields *f)
{
	struct message *m = mem_zero(1, sizeof *m);

	m->birth = mem_copy(f->f[0]);
	m->bytes = mem_copy(f->f[5]);
	m->sender = lower_copy(f->f[7]);
	m->qp = mem_copy(f->f[9]);
	m->uid = mem_copy(f->f[11]);
	free_message(wordmap_put(&p->messages, without_colon(f->f[3]), m));
}

/* starting delivery D: msg N to CHAN RECIP */
static void begin_delivery(struct pairing *p, const struct fields *f)
{
	struct delivery *d = mem_zero(1, sizeof *d);

	d->start = mem_copy(f->f[0]);
	d->message = mem_copy(f->f[5]);
	d->channel = mem_copy(f->f[7]);
	d->recipient = lower_copy(f->f[8]);
	free_delivery(wordmap_put(&p->deliveries, without_colon(f->f[3]), d));
}

/* 'k', 'd' or 'z', or 0. */
static char result_of(struct str word)
{
	static const struct {
		struct str prefix;
		char result;
	} results[] = { { STR("succ"), 'k' }, { STR("fail"), 'd' }, { STR("defer"), 'z' }, { STR("report"), 'z' } };

	for (size_t i = 0; i < sizeof results / sizeof *results; i++)
		if (str_starts(word, results[i].prefix))
			return results[i].result;
	return 0;
}

static void count(struct message *m, char result)
{
	m->k += result == 'k';
	m->d += result == 'd';
	m->z += result == 'z';
}

/* delivery D: success: REASON */
static void end_delivery(struct pairing *p, const struct fields *f, struct buf *out)
{
	struct delivery *d = wordmap_take(&p->deliveries, without_colon(f->f[2]));
	struct message *m = d ? wordmap_get(&p->messages, str_of(d->message)) : NULL;
	char result = result_of(f->f[3]);

	if (d && result) {
		buf_addf(out, "d %c %s %s ", result, m ? m->birth : d->start, d->start);
		buf_add(out, f->f[0]);
		buf_addf(out, " %s %s %s.%s %s %s ", m ? m->bytes : "0", m ? m->sender : "?", d->channel, d->recipient,
			 m ? m->qp : "?", m ? m->uid : "?");
		buf_add(out, str_starts(f->f[3], STR("report")) ? STR("report_mangled") : f->f[4]);
		buf_addc(out, '\n');
		if (m)
			count(m, result);
	}
	free_delivery(d);
}

/* end msg N */
static void end_message(struct pairing *p, const struct fields *f, struct buf *out)
{
	struct message *m = wordmap_take(&p->messages, f->f[3]);

	if (m) {
		buf_addf(out, "m %s ", m->birth);
		buf_add(out, f->f[0]);
		buf_addf(out, " %s %" PRIu64 " %" PRIu64 " %" PRIu64 " %s %s %s\n", m->bytes, m->k, m->d, m->z,
			 m->sender, m->qp, m->uid);
	}
	free_message(m);
}

/* extra N K Z D: what pairing_pending wrote */
static void restore_counts(struct pairing *p, const struct fields *f)
{
	struct message *m = wordmap_get(&p->messages, f->f[2]);

	if (m == NULL)
		return;
	str_to_u64(f->f[3], &m->k);
	str_to_u64(f->f[4], &m->z);
	str_to_u64(f->f[5], &m->d);
}

enum event { NEW, INFO, STARTING, DELIVERY, END, EXTRA, RESTART, NOTHING, NOTICE, UNKNOWN };

/* A line that is too short for what its second field promises is not understood. */
static enum event event_of(const struct fields *f)
{
	static const struct {
		struct str word;
		enum event event;
		size_t fields;
	} events[] = {
		{ STR("new"), NEW, 4 },           { STR("info"), INFO, 12 },      { STR("starting"), STARTING, 9 },
		{ STR("delivery"), DELIVERY, 4 }, { STR("end"), END, 4 },         { STR("extra"), EXTRA, 6 },
		{ STR("running"), RESTART, 2 },   { STR("exiting"), RESTART, 2 }, { STR("status:"), NOTHING, 2 },
		{ STR("number"), NOTHING, 2 },    { STR("local"), NOTHING, 2 },   { STR("remote"), NOTHING, 2 },
		{ STR("warning:"), NOTICE, 2 },   { STR("alert:"), NOTICE, 2 },
	};

	for (size_t i = 0; i < sizeof events / sizeof *events; i++)
		if (str_eq(f->f[1], events[i].word) && f->n >= events[i].fields)
			return events[i].event;
	return UNKNOWN;
}

static void act(struct pairing *p, const struct fields *f, struct str line, struct buf *out)
{
	enum event event = event_of(f);

	switch (event) {
	case NEW:
		begin_message(p, f);
		break;
	case INFO:
		describe_message(p, f);
		break;
	case STARTING:
		begin_delivery(p, f);
		break;
	case DELIVERY:
		end_delivery(p, f, out);
		break;
	case END:
		end_message(p, f, out);
		break;
	case EXTRA:
		restore_counts(p, f);
		break;
	case RESTART:
		wordmap_clear(&p->deliveries, free_delivery);
		break;
	case NOTHING:
		break;
	case NOTICE:
	case UNKNOWN:
		if (event == UNKNOWN)
			buf_addz(out, "? ");
		buf_add(out, line);
		buf_addc(out, '\n');
	}
}

void pairing_line(struct pairing *p, struct str line, struct buf *out)
{
	struct fields f = { .n = 0, .time = BUF_INIT(64) };

	for (size_t i = 0; i < FIELDS_MAX; i++)
		f.f[i] = STR("");
	split(&f, line);
	act(p, &f, line, out);
	buf_free(&f.time);
}

void pairing_pending(const struct pairing *p, struct buf *out)
{
	for (size_t i = 0; i < p->messages.room; i++) {
		const struct wordmap_slot *slot = &p->messages.slots[i];
		const struct message *m = slot->value;

		if (m == NULL)
			continue;
		buf_addf(out, "%s info msg %s: bytes %s from %s qp %s uid %s\n", m->birth, slot->word, m->bytes,
			 m->sender, m->qp, m->uid);
		buf_addf(out, "%s extra %s %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", m->birth, slot->word, m->k, m->z,
			 m->d);
	}
	for (size_t i = 0; i < p->deliveries.room; i++) {
		const struct wordmap_slot *slot = &p->deliveries.slots[i];
		const struct delivery *d = slot->value;

		if (d)
			buf_addf(out, "%s starting delivery %s: msg %s to %s %s\n", d->start, slot->word, d->message,
				 d->channel, d->recipient);
	}
}

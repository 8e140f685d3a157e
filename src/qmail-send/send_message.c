/* send_message: envelopes, from packets to jobs, and the end of messages. */
#include <stdlib.h>

#include "base/mem.h"
#include "mail/dsn.h"
#include "qmail-send/send.h"
#include "sys/clock.h"
#include "wire/attribute.h"
#include "wire/delivery.h"

/* Envelopes of messages that wait for a slot are kept up to this many; others are loaded again. */
#define ENVELOPES_KEPT 20000
/* Recipients of one remote job, as bytes: they must fit in one packet to qmail-rspawn. */
#define JOB_BYTES_MAX 90000

static struct {
	uint64_t id;
	struct envelope *env; /* of which packets are still coming */
	size_t loaded;        /* envelopes in memory */
} arriving;

struct str envelope_sender(const struct envelope *env)
{
	return str_head(buf_str(&env->text), env->sender_length);
}

struct str envelope_attributes(const struct envelope *env)
{
	return str_head(str_from(buf_str(&env->text), env->sender_length), env->attributes_length);
}

struct str envelope_recipient(const struct envelope *env, uint32_t i)
{
	return (struct str){ env->text.p + env->recipients[i].at, env->recipients[i].length };
}

bool envelope_has_sender(const struct envelope *env)
{
	struct str sender = envelope_sender(env);

	return sender.n && !str_eq(sender, STR("#@[]"));
}

struct str envelope_envid(const struct envelope *env)
{
	struct str envid = queue_attribute(envelope_attributes(env), ATTR_DSN_ENVID);

	return dsn_envid_ok(envid) ? envid : STR("");
}

struct str envelope_orcpt(const struct envelope *env, uint32_t i)
{
	const struct envelope_recipient *r = &env->recipients[i];

	return (struct str){ env->text.p + r->at + r->length, r->orcpt_length };
}

void envelope_free(void *p)
{
	struct envelope *env = p;

	buf_free(&env->text);
	free(env->recipients);
	free(env);
}

static struct envelope *begin_envelope(const struct message_packet *m)
{
	struct envelope *env = mem_zero(1, sizeof *env);

	env->text = BUF_INIT(SIZE_MAX);
	env->size = m->size;
	env->uid = m->uid;
	env->pid = m->pid;
	env->total = m->total;
	buf_add(&env->text, m->sender);
	env->sender_length = m->sender.n;
	buf_add(&env->text, m->attributes);
	env->attributes_length = m->attributes.n;
	dsn_parse_ret(queue_attribute(m->attributes, ATTR_DSN_RET), &env->ret);
	return env;
}

static struct msg *add_new(struct sender *s, const struct message_packet *p)
{
	struct msg *m = sched_add(s->sched, p->id, (int64_t)p->birth);

	s->arrivals.count++;

	m->held = p->due == QUEUE_HELD;
	return m;
}

static void add_recipient(struct envelope *env, bool done, struct str address, struct str attributes)
{
	struct envelope_recipient *e = &env->recipients[env->nrecipients++];
	struct str orcpt = queue_attribute(attributes, RCPT_ATTR_ORCPT);

	*e = (struct envelope_recipient){ .at = env->text.n, .length = (uint32_t)address.n, .done = done };
	dsn_parse_notify(queue_attribute(attributes, RCPT_ATTR_NOTIFY), &e->notify);
	buf_add(&env->text, address);
	if (dsn_orcpt_ok(orcpt)) {
		buf_add(&env->text, orcpt);
		e->orcpt_length = (uint16_t)orcpt.n;
	}
}

bool message_packet_arrived(struct sender *s, struct wire_reader *r, uint64_t *id, bool *complete)
{
	struct message_packet m;
	struct envelope *env;

	if (!queue_get_message(r, &m))
		return false;
	if (m.first == 0) {
		if (arriving.env)
			envelope_free(arriving.env);
		arriving.env = begin_envelope(&m);
		arriving.id = m.id;
	}
	env = arriving.env;
	if (env == NULL || arriving.id != m.id || m.first != env->nrecipients || m.total != env->total)
		return false;
	env->flags = m.flags;
	env->recipients = mem_array(env->recipients, env->nrecipients + m.count, sizeof *env->recipients);
	for (uint32_t i = 0; i < m.count; i++) {
		struct str address, attributes;
		bool done;

		if (!queue_get_recipient_all(r, &done, &address, &attributes))
			return false;
		add_recipient(env, done, address, attributes);
	}
	*id = m.id;
	*complete = !(m.flags & MESSAGE_MORE);
	if (*complete) {
		struct msg *known = sched_find(s->sched, m.id);

		if (env->nrecipients != env->total)
			return false;
		if (known == NULL)
			known = add_new(s, &m);
		known->birth = (int64_t)m.birth;
		if (known->envelope)
			envelope_free(known->envelope);
		else
			arriving.loaded++;
		known->envelope = env;
		arriving.env = NULL;
	}
	return wire_end(r);
}

void message_drop_envelope(struct msg *m)
{
	if (m->envelope == NULL)
		return;
	envelope_free(m->envelope);
	m->envelope = NULL;
	arriving.loaded--;
}

/* ---- jobs ------------------------------------------------------------------------------ */

/* The name of a destination: the domain for remote mail, the user for local mail. */
static void destination_key(struct buf *key, int channel, struct str address)
{
	size_t at = str_rchr(address, '@');

	buf_clear(key);
	if (channel == SCHED_REMOTE)
		buf_add_lower(key, str_from(address, at + 1));
	else
		buf_add_lower(key, str_head(address, str_chr(str_head(address, at), '-')));
}

struct routed {
	struct str key; /* owned */
	uint32_t recipient;
	uint32_t length;
	uint32_t leader; /* the first recipient with this key */
};

static int by_key(const void *a, const void *b)
{
	const struct routed *x = a, *y = b;
	int r = str_cmp(x->key, y->key);

	return r ? r : x->recipient < y->recipient ? -1 : 1;
}

static int by_leader(const void *a, const void *b)
{
	const struct routed *x = a, *y = b;

	if (x->leader != y->leader)
		return x->leader < y->leader ? -1 : 1;
	return x->recipient < y->recipient ? -1 : 1;
}

/* Recipients with the same key side by side, and otherwise in the envelope's order. */
static void group(struct routed *list, size_t n)
{
	if (n < 2)
		return;
	qsort(list, n, sizeof *list, by_key);
	for (size_t i = 0; i < n; i++)
		list[i].leader = i && str_eq(list[i].key, list[i - 1].key) ? list[i - 1].leader : list[i].recipient;
	qsort(list, n, sizeof *list, by_leader);
}

static bool is_verp(struct str sender)
{
	return str_ends(sender, STR("-@[]")) && sender.n > 4;
}

static void add_remote_jobs(struct sender *s, struct msg *m, struct routed *list, size_t n, bool tried)
{
	bool one_by_one = is_verp(envelope_sender(m->envelope));
	uint32_t batch[SCHED_BATCH_MAX];

	group(list, n);
	for (size_t i = 0; i < n;) {
		uint32_t k = 0;
		size_t bytes = 0, first = i;

		do {
			batch[k++] = list[i].recipient;
			bytes += list[i].length + 16;
			i++;
		} while (i < n && !one_by_one && k < SCHED_BATCH_MAX && bytes < JOB_BYTES_MAX &&
			 str_eq(list[i].key, list[first].key));
		sched_add_job(s->sched, m, SCHED_REMOTE, list[first].key, batch, k)->tried = tried;
	}
}

/*
 * What virtualdomains put in front stays with the job: SIGHUP changes where
 * new mail goes, and must not send mail that waits to somebody else. There are
 * as many prefixes as the control files ever had.
 */
static struct {
	char **names; /* the first has number 1 */
	uint32_t n;
	uint32_t *slots; /* numbers, by hash; 0: free */
	size_t nslots;   /* a power of two */
} prefixes;

static uint32_t *prefix_slot(const struct sender *s, struct str prefix)
{
	size_t i = (size_t)hash_str(s->key, prefix) & (prefixes.nslots - 1);

	while (prefixes.slots[i] && !str_eq(str_of(prefixes.names[prefixes.slots[i] - 1]), prefix))
		i = (i + 1) & (prefixes.nslots - 1);
	return &prefixes.slots[i];
}

static void grow_prefixes(const struct sender *s)
{
	prefixes.nslots = prefixes.nslots ? 2 * prefixes.nslots : 64;
	free(prefixes.slots);
	prefixes.slots = mem_zero(prefixes.nslots, sizeof *prefixes.slots);
	for (uint32_t i = 0; i < prefixes.n; i++)
		*prefix_slot(s, str_of(prefixes.names[i])) = i + 1;
}

/* Its number; 0 for none. */
static uint32_t keep_prefix(const struct sender *s, struct str prefix)
{
	uint32_t *slot;

	if (prefix.n == 0)
		return 0;
	if (2 * (size_t)prefixes.n >= prefixes.nslots)
		grow_prefixes(s);
	slot = prefix_slot(s, prefix);
	if (*slot == 0) {
		prefixes.names = mem_array(prefixes.names, prefixes.n + 1, sizeof *prefixes.names);
		prefixes.names[prefixes.n++] = mem_copy(prefix);
		*slot = prefixes.n;
	}
	return *slot;
}

void message_recipient(const struct sender *s, const struct job *j, uint32_t i, struct buf *out)
{
	struct buf base = BUF_INIT(SIZE_MAX);

	route_base_address(&s->routes, envelope_recipient(j->msg->envelope, i), &base);
	buf_clear(out);
	if (job_prefix(j)) {
		buf_addz(out, prefixes.names[job_prefix(j) - 1]);
		buf_addc(out, '-');
	}
	buf_add(out, buf_str(&base));
	buf_free(&base);
}

/* tried: they were, before we were started. */
static void make_jobs(struct sender *s, struct msg *m, bool tried)
{
	const struct envelope *env = m->envelope;
	struct routed *remote = mem_array(NULL, env->nrecipients + 1, sizeof *remote);
	struct buf address = BUF_INIT(SIZE_MAX), key = BUF_INIT(SIZE_MAX);
	size_t n = 0;

	for (uint32_t i = 0; i < env->nrecipients; i++) {
		struct route r;
		int channel;

		if (env->recipients[i].done)
			continue;
		r = route_address(&s->routes, envelope_recipient(env, i), &address);
		channel = r.channel == ROUTE_LOCAL ? SCHED_LOCAL : SCHED_REMOTE;
		destination_key(&key, channel, buf_str(&address));
		if (channel == SCHED_LOCAL)
			sched_add_job(s->sched, m, SCHED_LOCAL, buf_str(&key), &i, 1)->recipients.one.prefix =
			    keep_prefix(s, r.prefix);
		else
			remote[n++] = (struct routed){ { mem_copy(buf_str(&key)), key.n },
						       i,
						       (uint32_t)address.n + env->recipients[i].orcpt_length,
						       i };
	}
	add_remote_jobs(s, m, remote, n, tried);
	for (size_t i = 0; i < n; i++)
		free((char *)(uintptr_t)remote[i].key.p);
	free(remote);
	buf_free(&address);
	buf_free(&key);
}

void message_loaded(struct sender *s, uint64_t id, struct job *placeholder)
{
	struct msg *m = sched_find(s->sched, id);
	const struct envelope *env = m->envelope;
	bool tried;

	if (placeholder)
		sched_loaded(s->sched, placeholder);
	if (m->removed) {
		message_settle(s, m);
		return;
	}
	if (placeholder == NULL && m->njobs)
		return; /* known already: another telling of the same message */
	tried = m->announced;
	/* What comes while we end is announced, and delivered, after the next start. */
	if (!m->announced && !s->exiting) {
		m->announced = true;
		bounce_arrived(s, env->uid, env->pid);
		log_new_message(m);
	}
	/* Later we know more than what was on its way to us. */
	if (!m->known) {
		m->known = true;
		m->failed = env->flags & MESSAGE_FAILED;
		m->reportable = env->flags & MESSAGE_REPORTABLE;
		m->told_late = env->flags & MESSAGE_TOLD_LATE;
	}
	make_jobs(s, m, tried);
	message_settle(s, m);
}

void message_waiting(struct sender *s, uint64_t id, int64_t birth, int64_t due)
{
	struct msg *m = sched_find(s->sched, id);

	if (m)
		return;
	m = sched_add(s->sched, id, birth);
	/* What was deferred before is in the log already. */
	m->announced = m->timed = due != 0;
	m->held = due == (int64_t)QUEUE_HELD;
	sched_add_unrouted(s->sched, m, due);
}

void message_settle(struct sender *s, struct msg *m)
{
	if (m->removed) {
		if (m->njobs)
			return;
		message_drop_envelope(m);
		sched_remove(s->sched, m);
		return;
	}
	if (bounce_due(s, m))
		return;
	if (m->njobs == 0)
		message_end(s, m);
	else
		message_rest(m);
}

void message_rest(struct msg *m)
{
	if (sched_message_due(m) > clock_wall() || arriving.loaded > ENVELOPES_KEPT)
		message_drop_envelope(m);
}

void message_end(struct sender *s, struct msg *m)
{
	log_end(m);
	journal_end(s, m->id);
	message_drop_envelope(m);
	sched_remove(s->sched, m);
}

void message_lost(struct sender *s, struct msg *m, struct job *job)
{
	log_line("alert: message %llu is damaged in the queue and was set aside there", (unsigned long long)m->id);
	if (job)
		sched_finish(s->sched, job, NULL, 0, clock_wall());
	/* Jobs that run finish first; what waits would only find the same. */
	if (m->njobs == 0) {
		message_drop_envelope(m);
		sched_remove(s->sched, m);
	}
}

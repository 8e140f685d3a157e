#include "qmail-rspawn/provider.h"

#include <stdlib.h>

#include "base/mem.h"
#include "outbound/destination.h"
#include "wire/providerproto.h"

#define ASKED_MAX 50 /* at the DNS at a time: a struct destination is large */

struct provider_question {
	struct provider_question *prev, *next; /* in the list of those that wait, or of those that are asked */
	struct rspawn *r;
	struct sender *sender;
	struct outsettings_ref *settings;
	uint32_t question;
	struct destination *destination; /* NULL: it waits */
	struct str host;                 /* owned */
};

struct provider_questions {
	struct provider_question *asked;
	size_t nasked;
	struct provider_question *waiting, *last;
	bool starting; /* answers that come at once must not start others from within */
};

static void free_question(struct provider_question *q)
{
	if (q->question)
		dns_client_cancel(q->r->dns, q->question);
	if (q->destination)
		destination_free(q->destination);
	free(q->destination);
	if (q->settings)
		settings_drop(q->settings);
	sender_release(q->sender);
	free((char *)(uintptr_t)q->host.p);
	free(q);
}

static void unlink_asked(struct provider_questions *all, struct provider_question *q)
{
	if (q->prev)
		q->prev->next = q->next;
	else
		all->asked = q->next;
	if (q->next)
		q->next->prev = q->prev;
	all->nasked--;
}

static int by_name(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* The exchangers' names, in lower case, each once, in a fixed order. */
static void add_names(const struct destination *d, struct buf *out)
{
	struct buf lower = BUF_INIT(SIZE_MAX);
	struct str *list = mem_array(NULL, d->n + 1, sizeof *list);

	buf_add_lower(&lower, buf_str(&d->names));
	for (size_t i = 0; i < d->n; i++)
		list[i] = str_from(str_head(buf_str(&lower), d->name_end[i]), d->name_at[i]);
	if (d->n > 1)
		qsort(list, d->n, sizeof *list, by_name);
	for (size_t i = 0; i < d->n && out->n + list[i].n < PROVIDER_NAMES_MAX; i++) {
		if (i && str_eq(list[i], list[i - 1]))
			continue;
		if (out->n)
			buf_addc(out, ' ');
		buf_add(out, list[i]);
	}
	free(list);
	buf_free(&lower);
}

static void start_waiting(struct rspawn *r);

static void answer(struct provider_question *q)
{
	struct rspawn *r = q->r;
	struct buf names = BUF_INIT(SIZE_MAX), packet = BUF_INIT(SIZE_MAX);

	add_names(q->destination, &names);
	provider_put_answer(&packet, &(struct provider_answer){ q->host, buf_str(&names) });
	sender_packet(q->sender, &packet);
	buf_free(&names);
	buf_free(&packet);
	unlink_asked(r->questions, q);
	free_question(q);
	start_waiting(r);
}

static void on_answer(void *ctx, const struct dns_answer *a)
{
	struct provider_question *q = ctx;

	q->question = 0;
	destination_answer(q->destination, &q->settings->s, a);
	answer(q);
}

static void ask(struct provider_questions *all, struct provider_question *q)
{
	q->prev = NULL;
	q->next = all->asked;
	if (q->next)
		q->next->prev = q;
	all->asked = q;
	all->nasked++;
	q->destination = mem_zero(1, sizeof *q->destination);
	/* Without control files nothing can be known. */
	if (q->r->settings == NULL) {
		answer(q);
		return;
	}
	q->settings = settings_use(q->r->settings);
	destination_begin(q->destination, &q->settings->s, q->host);
	if (q->destination->ask)
		q->question = dns_client_ask(q->r->dns, q->destination->ask, q->destination->ask_name, on_answer, q);
	else
		answer(q);
}

static void start_waiting(struct rspawn *r)
{
	struct provider_questions *all = r->questions;

	if (all->starting)
		return;
	all->starting = true;
	while (all->waiting && all->nasked < ASKED_MAX) {
		struct provider_question *q = all->waiting;

		all->waiting = q->next;
		ask(all, q);
	}
	all->starting = false;
}

void provider_ask(struct rspawn *r, struct sender *sender, struct str host)
{
	struct provider_question *q = mem_zero(1, sizeof *q);

	q->r = r;
	q->sender = sender;
	sender_use(sender);
	q->host = (struct str){ mem_copy(host), host.n };
	if (r->questions == NULL)
		r->questions = mem_zero(1, sizeof *r->questions);
	if (r->questions->waiting)
		r->questions->last->next = q;
	else
		r->questions->waiting = q;
	r->questions->last = q;
	start_waiting(r);
}

static void free_list(struct provider_question *q)
{
	struct provider_question *next;

	for (; q; q = next) {
		next = q->next;
		free_question(q);
	}
}

void providers_free(struct rspawn *r)
{
	if (r->questions == NULL)
		return;
	free_list(r->questions->asked);
	free_list(r->questions->waiting);
	free(r->questions);
}

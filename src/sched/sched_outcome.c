#include "sched/sched_inner.h"

#include <stdlib.h>

#include "base/mem.h"

/* It answers again: all that waited for that are due, the oldest first. */
static void came_up(struct sched *s, struct sched_dest *d)
{
	d->window = SCHED_FIRST_WINDOW;
	d->once_more = false;
	free(d->words);
	d->words = NULL;
	for (size_t i = 0; i < d->waiting.n; i++) {
		struct job *j = job_of(d->waiting.nodes[i]);

		if (j->down && !j->msg->held)
			j->due.at = j->msg->birth < s->now ? j->msg->birth : s->now;
	}
	dueheap_order(&d->waiting);
}

static void unreachable(struct sched *s, struct sched_dest *d, const struct job *j, struct str words)
{
	uint32_t most = dest_policy(d)->nwaits ? dest_policy(d)->waits[0] : SCHED_PROBE_SECONDS;
	bool was_down = dest_is_down(d);

	/* What was under way when it went down says nothing new. */
	if (was_down && d->probe != j)
		return;
	if (!was_down && ++d->failures < SCHED_DOWN_AFTER)
		return;
	d->gap = was_down ? 2 * d->gap : 1;
	if (d->gap > most)
		d->gap = most;
	d->probe_at = d->once_more ? s->now : s->now + d->gap;
	d->once_more = false;
	d->window = SCHED_FIRST_WINDOW;
	d->verdicts = 0;
	free(d->words);
	d->words = mem_copy(words);
}

static void shrink(struct sched_dest *d)
{
	if (d->ignore)
		return;
	d->window = d->window > 1 ? d->window / 2 : 1;
	d->ignore = d->running;
}

void sched_outcome(struct sched *s, struct job *j, enum sched_outcome outcome, struct str words)
{
	struct sched_dest *d = j->dest;

	if (d->channel != SCHED_REMOTE)
		return;
	j->down = d->unknown = outcome == SCHED_UNREACHABLE;
	if (outcome >= SCHED_BUSY)
		shrink(d);
	if (outcome == SCHED_UNREACHABLE) {
		unreachable(s, d, j, words);
		return;
	}
	if (dest_is_down(d))
		came_up(s, d);
	d->failures = 0;
	if (outcome == SCHED_WORKED && d->window < sched_share(s, d->channel))
		d->window++;
}

void dest_probe_soon(struct sched_dest *d)
{
	d->probe_at = 0;
	d->once_more = d->probe != NULL;
}

void dests_run_all(struct sched *s)
{
	for (size_t i = 0; i < s->dest_slots; i++)
		for (struct sched_dest *d = s->dests[i]; d; d = d->next_in_table) {
			heap_run_all(&d->waiting, s->now);
			dest_probe_soon(d);
			d->next_afresh = d->unknown;
			if (d->users)
				dest_put(s, d, false);
		}
}

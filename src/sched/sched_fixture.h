/*
 * sched_fixture: what the tests of the scheduler share. Not for others.
 */
#ifndef SCHED_SCHED_FIXTURE_H
#define SCHED_SCHED_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "sched/sched.h"

static const uint32_t zero;

static inline struct sched *make(uint32_t local, uint32_t remote)
{
	struct sched_options o = { .concurrency = { local, remote }, .lifetime = 604800, .key = { 1, 2 } };

	return sched_new(&o);
}

/*
 * One attempt with what there is to do next; the message is done if it worked, and waits otherwise. The job as it
 * was, or NULL.
 */
static inline const struct job *attempt(struct sched *s, int64_t now, enum sched_outcome outcome)
{
	static struct job was;
	struct job *j = sched_next(s, now);

	if (j == NULL)
		return NULL;
	was = *j;
	if (j->quiet) {
		sched_put_off(s, j);
		return &was;
	}
	if (!j->verdict)
		sched_outcome(s, j, outcome, STR("nobody\n"));
	if (outcome == SCHED_WORKED && !j->verdict) {
		struct msg *m = j->msg;

		sched_finish(s, j, NULL, 0, now);
		sched_remove(s, m);
	} else {
		sched_finish(s, j, &zero, 1, now);
	}
	return &was;
}

static inline struct job *add(struct sched *s, uint64_t id, int64_t birth, const char *domain)
{
	return sched_add_job(s, sched_add(s, id, birth), SCHED_REMOTE, str_of(domain), &zero, 1);
}

#endif

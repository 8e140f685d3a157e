/* send_policy: control/destinations, and the providers that remote destinations belong to. */
#include "qmail-send/send.h"

#define PROVIDER_MAX 4000

bool policies_load(struct sender *s, struct err *e)
{
	if (!destpolicies_load(&s->policies, e)) {
		if (!s->policies.map.present)
			return false;
		log_line("warning: %s; this line is without effect", e->text);
	}
	return true;
}

void policies_reload(struct sender *s)
{
	struct destpolicies fresh;
	struct err e;

	if (!destpolicies_load(&fresh, &e)) {
		destpolicies_free(&fresh);
		log_line("alert: %s; the old settings stay", e.text);
		return;
	}
	destpolicies_free(&s->policies);
	s->policies = fresh;
	sched_new_policies(s->sched);
}

bool policy_of(void *ctx, int channel, struct str key, struct policy *p)
{
	struct sender *s = ctx;

	destpolicies_find(&s->policies, channel, key, p);
	return channel == SCHED_REMOTE && s->policies.providers && delivery_ask_provider(s, key);
}

void policy_provider_arrived(struct sender *s, struct str host, struct str names)
{
	struct buf provider = BUF_INIT(PROVIDER_MAX);
	struct policy p = { 0 };

	destpolicies_provider(&s->policies, names, &provider, &p);
	sched_provider(s->sched, host, buf_str(&provider), &p);
	buf_free(&provider);
}

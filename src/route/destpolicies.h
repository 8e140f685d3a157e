/*
 * destpolicies: control/destinations, what is set for single destinations.
 *
 * A map file: `key:words`, the words as sched/policy.h understands them. Keys:
 *
 *	example.org    mail for this domain
 *	.example.org   mail for all domains below it
 *	(nothing)      all remote mail: the default
 *	mx/NAME        mail that goes to an exchanger (or relay) of this name;
 *	mx/.NAME       below this name;
 *	mx/            or to any: each set of exchangers counts for itself
 *	local/USER     mail for a local user, up to the first hyphen
 *	local/         each of them
 *
 * Each setting comes from the line that says most about the destination. What
 * a mx/ line allows is shared by all domains that the line covers.
 */
#ifndef ROUTE_DESTPOLICIES_H
#define ROUTE_DESTPOLICIES_H

#include "base/buf.h"
#include "conf/control.h"
#include "sched/policy.h"

struct destpolicies {
	struct control_map map;
	bool providers; /* there are mx/ lines */
};

/*
 * False: the file cannot be read (*p is empty then), or a line makes no sense; e says which. That line is
 * without effect, and *p is good otherwise.
 */
bool destpolicies_load(struct destpolicies *p, struct err *e);
void destpolicies_free(struct destpolicies *p);

/* Adds what is set for the destination `key` (a domain or user, in lower case) of the channel. */
void destpolicies_find(const struct destpolicies *p, int channel, struct str key, struct policy *policy);

/*
 * The provider of a domain whose exchangers are `names` (separated by blanks, in a fixed order), and its policy.
 * *provider is a name for it, empty when nothing is set.
 */
void destpolicies_provider(const struct destpolicies *p, struct str names, struct buf *provider, struct policy *policy);

#endif

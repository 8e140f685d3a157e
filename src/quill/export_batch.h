/*
 * export_batch: many messages of our queue carried over into a queue in
 * qmail's classic layout.
 *
 * They are held first, so that they do not change while they are copied nor
 * leave while their copies may be delivered; they stay held, or are removed
 * once the copies are durable. What is being written is written down before,
 * and removed there when the export is repeated. Orders and syncs are for many
 * messages at once: while the mail system is down each connection reads the
 * whole queue.
 */
#ifndef QUILL_EXPORT_BATCH_H
#define QUILL_EXPORT_BATCH_H

#include "classicqueue/classicwrite.h"
#include "classicqueue/progress.h"
#include "queuequery/queuemessage.h"
#include "route/route.h"

#define EXPORT_BATCH 10000

enum export_state {
	EXPORT_WANTED,
	EXPORT_HELD,   /* it keeps still */
	EXPORT_SEEN,   /* its copy may be there by now: it must not be let go */
	EXPORT_COPIED, /* its copy is durable, now or from an earlier export */
	EXPORT_FAILED, /* said why */
};

struct export_item {
	uint64_t id, key; /* key: what it is written down as */
	bool was_held;    /* by an operator */
	enum export_state state;
};

struct export
{
	struct classic_out out;
	struct progress progress;
	struct route_tables routes;
	int64_t now;
	bool remove;
	size_t written, before, troubles;
};

/*
 * Carries over n messages, EXPORT_BATCH at most, sorted by id. What goes wrong
 * with one is said and counted. False: it makes no sense to go on; what was
 * not copied is let go.
 */
bool export_batch(struct export *x, struct export_item *items, size_t n, struct err *e);

#endif

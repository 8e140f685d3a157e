/*
 * route: where a recipient goes (contract §8.2): locals, virtualdomains,
 * percenthack, envnoathost.
 */
#ifndef ROUTE_ROUTE_H
#define ROUTE_ROUTE_H

#include "base/buf.h"
#include "base/err.h"
#include "conf/control.h"

struct route_tables {
	struct buf envnoathost;
	struct control_map locals, virtualdomains, percenthack;
};

/* Reads envnoathost, percenthack, locals and virtualdomains. False leaves *t empty. */
bool route_load(struct route_tables *t, struct err *e);

/*
 * Reads locals and virtualdomains again, as on SIGHUP; on failure the old ones stay and e names the file.
 */
bool route_reload(struct route_tables *t, struct err *e);
void route_free(struct route_tables *t);

enum route_channel { ROUTE_LOCAL, ROUTE_REMOTE };

struct route {
	enum route_channel channel;
	struct str prefix; /* local by virtualdomains: what was put in front ("joe" of "joe-user"); else empty */
	bool by_address;   /* the prefix came from a whole address, not from a domain */
};

/*
 * The address that is routed: with envnoathost where the host is missing, and percenthack applied. These two
 * tables are never read again, so the result is the same for the life of the process.
 */
void route_base_address(const struct route_tables *t, struct str address, struct buf *out);

/*
 * Routes `address`. *out gets the address to deliver to, with the prefix and
 * its '-' in front when there is one. Views in the result look into t.
 */
struct route route_address(const struct route_tables *t, struct str address, struct buf *out);

/*
 * The sender to use for one recipient: VERP (contract §8.4). `pre@host-@[]`
 * becomes pre + local + "=" + domain @host; everything else stays.
 */
void route_verp_sender(struct str sender, struct str recipient, struct buf *out);

/* Where bounces of a message from `sender` go: `pre@host-@[]` means `pre@host`. */
struct str route_bounce_address(struct str sender);

#endif

/*
 * outidentity: where our connections come from and what we call ourselves in
 * them, by the domain of the sender (contract §2.2 and beyond).
 *
 *   helohost     the name in HELO and EHLO; without the file: me
 *   outgoingip   lines `address [name]`: the first address of each family is where connections come from; a name is
 *                the one for HELO on connections from that address
 *   outgoingips  lines `domain:address … [name]`: the same for mail from that domain; up to one address for each
 *                family, and a name that is used whatever the address
 *
 * Where outgoingips has no address for a family, the one in outgoingip is
 * used; where neither has, the system chooses.
 */
#ifndef OUTBOUND_OUTIDENTITY_H
#define OUTBOUND_OUTIDENTITY_H

#include "conf/control.h"
#include "outbound/peeraddress.h"

/* For each family: IPv4, IPv6. */
struct outidentity {
	struct peeraddress address[2];
	bool has_address[2];
	struct str helo[2];
};

struct outidentities {
	struct buf helo; /* control/helohost */
	struct control_list addresses;
	struct control_map domains;
	struct outidentity preset;
	struct outidentity *list; /* one for each line of `domains` */
};

/* False: a file cannot be read or makes no sense. *all can be freed all the same. */
bool outidentities_load(struct outidentities *all, struct err *e);
void outidentities_free(struct outidentities *all);

/* For mail from this envelope sender; lives as long as *all. Never NULL. */
const struct outidentity *outidentities_find(const struct outidentities *all, struct str sender);

/* Gives the socket its address. False with errno: it cannot be used. */
bool outidentity_bind(const struct outidentity *who, int fd, bool v6);

/* Would that work now? False with errno. */
bool outidentity_usable(const struct outidentity *who, bool v6);

/* Why not, as qmail-remote would report it. */
void outidentity_report(const struct outidentity *who, bool v6, int error, struct buf *text);

#endif

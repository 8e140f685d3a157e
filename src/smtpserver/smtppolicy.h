/*
 * smtppolicy: the control files of the SMTP service, and the decisions made
 * from them (contract §12.3).
 *
 * Who may be written to: with control/rcpthosts, the domains in there and in
 * control/morercpthosts.cdb. Without that file only what is delivered here:
 * domains in control/locals (control/me where that is missing) and
 * control/virtualdomains. qmail takes mail for everybody then; nobody has
 * wanted that since open relays are abused. An address without a domain gets
 * that of control/envnoathost, and may be written to if that is one of either;
 * qmail takes it in any case.
 *
 *   control file        default
 *   smtpgreeting        me; one of the two must exist
 *   databytes           0, no limit; $DATABYTES replaces it
 *   timeoutsmtpd        1200 seconds for a read or write
 *   smtpsessiontimeout  7200 seconds without an accepted message
 *   maxrecipients       50000 of one message
 *   maxsmtperrors       100 refused commands without an accepted message
 *   maxsmtpidle         1000 NOOP, RSET, VRFY … without an accepted message
 *   localiphost         me
 *   smtpdsn             2: everybody may ask for notifications; 1: those who may relay; 0: nobody
 *   rcptcheck           0; 1: addresses that do not exist are refused
 *   badmailfrom, rcpthosts, morercpthosts.cdb, locals, virtualdomains
 *   envnoathost         me
 *   percenthack: with rcptcheck
 */
#ifndef SMTPSERVER_SMTPPOLICY_H
#define SMTPSERVER_SMTPPOLICY_H

#include "cdb/cdbfile.h"
#include "conf/control.h"
#include "route/route.h"
#include "smtpserver/smtpsession.h"

struct smtp_policy {
	struct smtp_settings settings; /* views into the buffers below */
	struct buf me, greeting, localiphost, envnoathost;
	uint64_t databytes;       /* as control/databytes has it */
	uint64_t timeout;         /* seconds for a read or write, at least 1 */
	uint64_t session_timeout; /* seconds without an accepted message */
	struct control_map badmailfrom, rcpthosts, locals, virtualdomains;
	struct cdbfile morercpthosts;
	bool morercpthosts_loaded;
	bool own_loaded;            /* locals, virtualdomains, envnoathost: needed for some recipients only */
	bool check_mailboxes;       /* control/rcptcheck */
	struct route_tables routes; /* filled when they are checked */
};

/* Reads everything but morercpthosts.cdb, which is read when first needed. On failure nothing is left. */
bool smtp_policy_load(struct smtp_policy *p, struct err *e);
/* Reads morercpthosts.cdb now, so that forked children share it. */
bool smtp_policy_preload(struct smtp_policy *p, struct err *e);
/* Looks again for what the environment replaces. */
void smtp_policy_environment(struct smtp_policy *p);
void smtp_policy_free(struct smtp_policy *p);

/* A number that changes when any of the files does. */
uint64_t smtp_policy_fingerprint(void);

/* As in struct smtp_ops. */
bool smtp_policy_sender_is_bad(const struct smtp_policy *p, struct str sender, size_t at);
enum smtp_permission smtp_policy_recipient(struct smtp_policy *p, struct str recipient, size_t at, struct err *e);
/* Does an interface of this machine have the address? Takes "1.2.3.4" and "IPv6:::1". */
bool smtp_policy_own_address(struct str literal);

#endif

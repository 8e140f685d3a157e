/*
 * scriptcheck: what of a start script (rc, a service's run) works otherwise
 * with our programs: options of patched programs, arguments and variables that
 * nobody reads any more. Pure.
 */
#ifndef UPGRADE_SCRIPTCHECK_H
#define UPGRADE_SCRIPTCHECK_H

#include "upgrade/verdict.h"

/*
 * Calls each() for everything that is worth a word; not at all for a script
 * that works as it is. What name points to is gone after the call.
 */
void scriptcheck(struct str script, verdict_given *each, void *ctx);

/* The same for variables alone, as in /etc/tcp.smtp: ADDRESS:allow,NAME="value",… */
void scriptcheck_rules(struct str rules, verdict_given *each, void *ctx);

#endif

/*
 * clientauth: saying who we are to a server (RFC 4954), by PLAIN (RFC 4616),
 * LOGIN or CRAM-MD5 (RFC 2195).
 */
#ifndef SMTPCLIENT_CLIENTAUTH_H
#define SMTPCLIENT_CLIENTAUTH_H

#include "base/buf.h"
#include "smtpclient/ehlo.h"

#define AUTH_WORD_MAX 500 /* bytes of user or password */

/* The one to use of enum ehlo_auth values or-ed; 0: none. `secure`: is the session encrypted? */
unsigned auth_choose(unsigned offered, bool secure);

/* Appends the AUTH command. */
void auth_begin(unsigned mechanism, struct str user, struct str password, struct buf *out);

/*
 * Appends the answer to a reply of 334, the step-th from 0; `reply` is its
 * whole text. False: the mechanism has no such step, or the challenge makes no sense.
 */
bool auth_continue(unsigned mechanism, unsigned step, struct str reply, struct str user, struct str password,
		   struct buf *out);

#endif

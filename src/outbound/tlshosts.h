/*
 * tlshosts: which servers are spoken to with TLS, by control files that have
 * the names of netqmail's TLS patch.
 *
 *   clientcert.pem           certificate chain and key that we show
 *   tlsclientciphers         OpenSSL's list of ciphers
 *   tlshosts/NAME.pem        server NAME must use TLS, with a certificate for
 *                            NAME by one of the authorities in this file
 *   tlshosts/exhaustivelist  exists: no TLS with other servers
 *   notlshosts/NAME          exists: no TLS with server NAME
 *
 * NAME is a mail exchanger's or relay's name. Without a word about a server
 * TLS is used where it is offered, and every certificate will do.
 */
#ifndef OUTBOUND_TLSHOSTS_H
#define OUTBOUND_TLSHOSTS_H

#include "base/err.h"
#include "smtpclient/clientsession.h"
#include "tls/tlscontext.h"

struct tlshost {
	char *name; /* in lower case */
	struct tls_anchors *anchors;
	char *problem; /* why there are none */
};

struct tlshosts {
	struct tls_context *context;
	struct tlshost *required; /* sorted by name */
	size_t nrequired;
	char **without; /* sorted */
	size_t nwithout;
	bool exhaustive;
	struct tls_anchors *system; /* read when first asked for */
};

/*
 * False: a file cannot be read, or clientcert.pem or tlsclientciphers cannot
 * be used. What is wrong with one server's file only concerns that server.
 */
bool tlshosts_load(struct tlshosts *t, struct err *e);
void tlshosts_free(struct tlshosts *t);

/* A number that changes when the files do, or which files there are; not with the text inside tlshosts/NAME.pem. */
uint64_t tlshosts_fingerprint(void);

/* Completes a policy for the server p->name. `verify`: by the system's authorities, where no others are named. */
void tlshosts_apply(struct tlshosts *t, struct session_policy *p, bool verify);

#endif

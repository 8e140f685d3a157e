/*
 * popauth: the authorization state of POP3 (RFC 1939 §4, contract §15.1):
 * lines in, answers out, and what is to be done next. No I/O.
 */
#ifndef POP3_POPAUTH_H
#define POP3_POPAUTH_H

#include "pop3/popline.h"
#include "sasl/sasl.h"

enum popauth_next {
	POPAUTH_LINE,  /* the next line */
	POPAUTH_LOGIN, /* `credentials` are to be checked */
	POPAUTH_TLS,   /* after the answer, TLS begins */
	POPAUTH_END,
};

struct popauth {
	const char *stamp; /* the challenge in the greeting */
	bool tls_offered, tls_active;
	bool tls_required; /* no password goes over a connection without it */
	struct buf user;
	struct sasl sasl;
	bool in_sasl;
	unsigned errors;
	struct buf credentials; /* login NUL password NUL stamp NUL, for a program of the checkpassword interface */
};

#define POPAUTH_INIT \
	((struct popauth){ .user = BUF_INIT(POPLINE_MAX), .sasl = SASL_INIT, .credentials = BUF_INIT(3 * POPLINE_MAX) })

void popauth_greet(const struct popauth *a, struct buf *out);
enum popauth_next popauth_line(struct popauth *a, struct str line, struct buf *out);
/* TLS has begun: what came before it does not count. */
void popauth_secure(struct popauth *a);
void popauth_free(struct popauth *a);

#endif

/*
 * sasl: the server's side of PLAIN (RFC 4616) and LOGIN, until user and
 * password are there. Whether they are right is somebody else's question. No
 * I/O: base64 lines in and out, as SMTP (RFC 4954) and POP3 (RFC 5034) have
 * them.
 */
#ifndef SASL_SASL_H
#define SASL_SASL_H

#include "base/buf.h"

#define SASL_MECHANISMS "PLAIN LOGIN"
#define SASL_TEXT_MAX 1000 /* user and password, each */

enum sasl_step {
	SASL_CONTINUE,  /* send the challenge, give the answer to sasl_answer */
	SASL_DONE,      /* user and password are filled */
	SASL_CANCELLED, /* the client has thought better of it */
	SASL_MALFORMED,
	SASL_UNKNOWN, /* such a mechanism */
};

struct sasl {
	int state;
	struct buf user, password;
	struct buf challenge; /* base64, or empty */
};

#define SASL_INIT ((struct sasl){ 0, BUF_INIT(SASL_TEXT_MAX), BUF_INIT(SASL_TEXT_MAX), BUF_INIT(SASL_TEXT_MAX) })

/*
 * `initial` is the response that came with the command, in base64 ("=" for
 * one that is empty), or empty when there was none.
 */
enum sasl_step sasl_start(struct sasl *s, struct str mechanism, struct str initial);
enum sasl_step sasl_answer(struct sasl *s, struct str line);

/* Forgets the password. */
void sasl_free(struct sasl *s);

#endif

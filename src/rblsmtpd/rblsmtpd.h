/*
 * rblsmtpd: what has been decided about the client, and telling it.
 */
#ifndef RBLSMTPD_RBLSMTPD_H
#define RBLSMTPD_RBLSMTPD_H

#include "base/buf.h"

#define RBL_TEXT_MAX 200 /* bytes of a list's words that the client sees */

/*
 * Talks to a client that may not send mail: every attempt gets `reply`
 * ("451 text", without line end). Ends the program with 0, at the latest
 * after so many seconds; 0 seconds: only the reply, at once.
 */
_Noreturn void rejection(struct str reply, unsigned seconds);

#endif

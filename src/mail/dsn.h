/*
 * dsn: what a sender asks for about delivery status notifications (RFC 3461
 * §4): RET and ENVID of a message, NOTIFY and ORCPT of a recipient. Pure.
 *
 * ENVID and ORCPT are kept as they came, in xtext, so that they can be passed
 * on as they are.
 */
#ifndef MAIL_DSN_H
#define MAIL_DSN_H

#include "base/buf.h"

#define DSN_ENVID_MAX 100
#define DSN_ORCPT_MAX 500

/* NOTIFY as a set; 0: not given. NEVER stands alone. */
enum dsn_notify { DSN_NEVER = 1, DSN_SUCCESS = 2, DSN_FAILURE = 4, DSN_DELAY = 8 };

enum dsn_ret { DSN_RET_ANY, DSN_RET_FULL, DSN_RET_HDRS };

/* Read the values of the parameters, in any case. False: not well-formed. */
bool dsn_parse_notify(struct str value, uint8_t *notify);
bool dsn_parse_ret(struct str value, uint8_t *ret);

/* xtext for 1 to DSN_ENVID_MAX printable ASCII characters and blanks? */
bool dsn_envid_ok(struct str value);
/* "type;address", at most DSN_ORCPT_MAX bytes, the address xtext for printable characters (or RFC 6533 §3)? */
bool dsn_orcpt_ok(struct str value);

/* "SUCCESS,FAILURE", "NEVER"; nothing for 0. */
void dsn_add_notify(struct buf *out, uint8_t notify);
/* "FULL" or "HDRS"; nothing for DSN_RET_ANY. */
void dsn_add_ret(struct buf *out, uint8_t ret);

/*
 * What a message asks for that is sent on to other addresses by a user's
 * wish: everything but success, which is reported here (RFC 3461 §5.2.7).
 */
uint8_t dsn_notify_forward(uint8_t notify);

#endif

/*
 * recipientproto: whether a local address would be delivered to: what
 * qmail-smtpd asks qmail-lspawn, and what that answers.
 *
 * qmail-lspawn listens on the packet socket run/recipient, which only
 * qmail-smtpd's user may use. Each QUESTION is answered by one ANSWER with
 * the same id; the next question comes after that. Whoever gets no answer in
 * time closes the connection.
 *
 *   packet      sender         fields after the type                      largest size
 *   QUESTION    qmail-smtpd    u32 id, str address                        RECIPIENT_PACKET_MAX
 *   ANSWER      qmail-lspawn   u32 id, u8 answer (enum recipient_answer), RECIPIENT_PACKET_MAX
 *                              u64 room
 *
 * The address is as it would be delivered: routed, with the prefix that
 * control/virtualdomains puts in front.
 */
#ifndef WIRE_RECIPIENTPROTO_H
#define WIRE_RECIPIENTPROTO_H

#include "wire/wire.h"

#define RECIPIENT_PACKET_MAX 4096
#define RECIPIENT_ADDRESS_MAX 4000 /* whoever has a longer one does not ask */

enum recipient_answer {
	RECIPIENT_EXISTS = 1,    /* mail for it is delivered */
	RECIPIENT_MAY_EXIST = 2, /* a program decides */
	RECIPIENT_ABSENT = 3,    /* mail for it bounces */
	RECIPIENT_UNKNOWN = 4,   /* that cannot be found out now */
};

struct recipient_question {
	uint32_t id; /* chosen by who asks */
	struct str address;
};

#define RECIPIENT_ROOM_ANY UINT64_MAX

struct recipient_finding {
	enum recipient_answer answer;
	uint64_t room; /* a larger message, in bytes, bounces because the mailbox has no place for it */
};

struct recipient_reply {
	uint32_t id;
	struct recipient_finding found;
};

/* Appends one packet to b. */
void recipient_put_question(struct buf *b, const struct recipient_question *q);
void recipient_put_reply(struct buf *b, const struct recipient_reply *r);

/* Decode one packet; views point into it. False: malformed, end the connection. */
bool recipient_get_question(struct str packet, struct recipient_question *q);
bool recipient_get_reply(struct str packet, struct recipient_reply *r);

#endif

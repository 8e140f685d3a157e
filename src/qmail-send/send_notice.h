/*
 * send_notice: composing a notice and putting it into the queue; the part of
 * send_bounce that runs in a child.
 */
#ifndef QMAIL_SEND_SEND_NOTICE_H
#define QMAIL_SEND_SEND_NOTICE_H

#include "notice/notice.h"
#include "qmail-send/send.h"

struct notice_order {
	const struct sender *s;
	const struct msg *m; /* with its envelope */
	enum notice_kind kind;
	int content;      /* of the original */
	struct str notes; /* u32 recipient, str text, repeated: results, or answers for a notice of delay */
};

#define NOTICE_NOT_NEEDED ((unsigned long)-1)

/* The number to log as qp; 0: it did not work; NOTICE_NOT_NEEDED. */
unsigned long notice_send(const struct notice_order *o);

#endif

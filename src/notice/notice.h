/*
 * notice: the messages that tell a sender what became of mail: bounces
 * (contract §8.6, QSBMF), notices of delay, reports of success. Pure: the
 * caller puts the original between head and tail.
 *
 * The form is a delivery status notification (RFC 3464): multipart/report with
 * a text, a part for programs, and the original or its header. The text of a
 * bounce is QSBMF. It stands a second time where a reader of plain QSBMF looks
 * for it, in front of the first part, which MIME readers do not show; there
 * the boundary, which begins with a hyphen, is the end of the paragraphs. The
 * old plain form of a bounce is QSBMF alone.
 */
#ifndef NOTICE_NOTICE_H
#define NOTICE_NOTICE_H

#include "base/buf.h"

enum notice_kind {
	NOTICE_BOUNCE,
	NOTICE_DOUBLE_BOUNCE,
	NOTICE_DELAY,
	NOTICE_SUCCESS,
};

/* RFC 3464 §2.3.3. */
enum notice_action { NOTICE_FAILED, NOTICE_DELAYED, NOTICE_DELIVERED, NOTICE_RELAYED, NOTICE_EXPANDED };

struct notice_recipient {
	struct str address; /* as the sender knows it */
	struct str orcpt;   /* ORCPT as it came, or empty */
	struct str report;  /* the last delivery's */
	enum notice_action action;
};

/* All views are the caller's. */
struct notice {
	enum notice_kind kind;
	bool plain;             /* the old form, for bounces only */
	const char *program;    /* who says all this; NULL: qmail-send */
	struct str from, host;  /* local part and host of the From field; the host is the reporting one */
	struct str to;          /* where the notice goes */
	struct str return_path; /* of the original */
	struct str envid;       /* ENVID as it came, or empty */
	int64_t now;
	int64_t arrival;   /* of the original */
	int64_t until;     /* when trying ends, for notices of delay */
	struct str unique; /* letters and digits that nobody can have foreseen; at most 40 */
	unsigned long pid; /* for the Message-ID */
	bool header_only;  /* of the original */
	bool eight_bit;    /* what is given of the original has bytes from 128 on */
	bool utf8;         /* the original is internationalised (RFC 6532) */
	const struct notice_recipient *recipients;
	size_t n;
};

/* Appends everything before the original, and what follows it. */
void notice_head(struct buf *out, const struct notice *n);
void notice_tail(struct buf *out, const struct notice *n);

/* Does the notice need SMTPUTF8 for what it says itself? */
bool notice_needs_utf8(const struct notice *n);

/*
 * Does a message with this header come from a program or a list, whose sender
 * did not sit down to write it (RFC 3834 §2, RFC 2369)?
 */
bool notice_is_bulk(struct str header);

/* How much of this beginning of a message is its header, the empty line not counted. */
size_t notice_header_length(struct str message);

#endif

/*
 * logevent: what a line of qmail-send's log says (contract §8.7), whatever
 * multilog, splogger or syslog have put in front of it; and the same from the
 * JSON objects of control/logformat. Pure.
 */
#ifndef MAILLOG_LOGEVENT_H
#define MAILLOG_LOGEVENT_H

#include "base/buf.h"

enum log_kind {
	LOG_OTHER, /* nothing about a message */
	LOG_NEW,   /* the message begins */
	LOG_INFO,  /* size, sender, qp, uid */
	LOG_START, /* delivery, to */
	LOG_SUCCESS,
	LOG_DEFERRAL,
	LOG_FAILURE,  /* delivery, text */
	LOG_BOUNCE,   /* qp */
	LOG_OPERATOR, /* text */
	LOG_END
};

struct log_event {
	enum log_kind kind;
	bool json;    /* LOG_NEW has then also what LOG_INFO has */
	bool has_msg; /* results of deliveries have only their number, but in JSON */
	uint64_t msg, delivery, size, qp, uid;
	/* Owned by the event; reused by the next log_event_read. */
	struct buf when; /* "2026-11-21 10:06:03", or empty */
	struct buf sender, recipient, to, text, trace, messageid, client;
	struct buf scratch;
};

void log_event_init(struct log_event *e);
void log_event_free(struct log_event *e);

/* line without its LF */
void log_event_read(struct str line, struct log_event *e);

#endif

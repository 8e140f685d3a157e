/*
 * received: the Received lines that we add. Their bytes are read by filters
 * and log tools: contract §5.3, §12.4, §16.
 */
#ifndef MAIL_RECEIVED_H
#define MAIL_RECEIVED_H

#include "base/buf.h"

/* "Received: (qmail PID invoked HOW); DATE\n". how: "by uid 1000", "from network", "for bounce", "by alias". */
void received_queue(struct buf *out, uint64_t pid, struct str how, int64_t time);

/* Where a message came from. All of it may be chosen by strangers. */
struct received_client {
	struct str host; /* the client's name, or "unknown" */
	struct str ip;
	struct str info;  /* $TCPREMOTEINFO; counts only with has_info */
	struct str helo;  /* the argument of HELO or EHLO; counts only with has_helo */
	struct str local; /* our own name */
	bool has_info;
	bool has_helo;
};

/*
 * "Received: from HOST (HELO X) (INFO@IP)\n  by LOCAL with PROTOCOL; DATE\n".
 * The HELO part is left out when X is HOST (ASCII case ignored) or none was
 * given. Bytes of the client's making other than letters, digits and
 * ".@%+/=:-[]" become '?'.
 */
void received_smtp(struct buf *out, const struct received_client *c, struct str protocol, int64_t time);

#endif

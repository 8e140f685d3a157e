/*
 * resend: the message on a descriptor, with a line in front, to new
 * recipients.
 */
#ifndef FILTER_RESEND_H
#define FILTER_RESEND_H

#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"

struct resend {
	struct str sender;
	struct str header; /* goes in front: the Delivered-To line */
	int fd;            /* read from where it stands to its end */
	const struct str *to;
	size_t n;
};

/* True: queued for good, *qp is the number to show. False, with the text of the queue (contract §6.2). */
bool resend_message(const struct resend *r, pid_t *qp, struct err *e);

#endif

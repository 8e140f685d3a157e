/*
 * maildirserial: its settings, and what its parts do for each other.
 */
#ifndef MAILDIRSERIAL_MAILDIRSERIAL_H
#define MAILDIRSERIAL_MAILDIRSERIAL_H

#include <sys/types.h>

#include "base/buf.h"
#include "mailbox/maildirscan.h"
#include "serial/serialhead.h"

#define ME "maildirserial"

struct serial_settings {
	bool bounce;      /* -b */
	int64_t lifetime; /* -t, seconds; 0: for ever */
	struct str prefix;
	char **client;
	struct buf bouncefrom, bouncehost, doubleto, doublehost; /* control files */
};

/* "maildirserial: info: …" and "maildirserial: warning: …". */
void serial_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void serial_warning(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Tells the sender that the message at path was refused with this text. False: it could not be put into the queue. */
bool serial_bounce(const struct serial_settings *s, const char *path, struct str text, bool too_old);

/*
 * Runs the client on the messages; calls done(ctx, index, letter, text) for each report. Returns its exit code.
 * *reports counts them.
 */
int serial_client(const struct serial_settings *s, const struct maildir_list *list,
		  void (*done)(void *ctx, size_t index, char letter, struct str text), void *ctx, size_t *reports);

#endif

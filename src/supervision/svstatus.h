/*
 * svstatus: what supervise says of its service in supervise/status
 * (contract-companions §2.2): 18 bytes; others write more behind them.
 */
#ifndef SUPERVISION_SVSTATUS_H
#define SUPERVISION_SVSTATUS_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/tai64n.h"

#define SVSTATUS_SIZE 18

struct svstatus {
	struct tai64n since; /* the last start or end */
	uint32_t pid;        /* 0: down */
	bool paused;
	char want; /* 'u', 'd', or 0 for no wish */
};

void svstatus_pack(unsigned char packed[SVSTATUS_SIZE], const struct svstatus *s);
struct svstatus svstatus_unpack(const unsigned char packed[SVSTATUS_SIZE]);

/* "up (pid 7) 61 seconds, want down", as svstat prints it. normally_up: there is no file "down". */
void svstatus_text(struct buf *out, const struct svstatus *s, bool normally_up, int64_t now);

/*
 * The older form (§2.1): 23 bytes, Unix time with 2^62 added, the pid, and
 * whether the service is normally up.
 */
#define OLDSTATUS_SIZE 23

void oldstatus_pack(unsigned char packed[OLDSTATUS_SIZE], const struct svstatus *s, bool normally_up);
struct svstatus oldstatus_unpack(const unsigned char packed[OLDSTATUS_SIZE], bool *normally_up);

/* "934000000 up pid 7, want down": the time is that of the last start or end. */
void oldstatus_text(struct buf *out, const struct svstatus *s, bool normally_up);

#endif

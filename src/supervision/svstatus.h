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

#endif

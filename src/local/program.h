/*
 * program: a `|command` line of a .qmail file (contract §10.4).
 *
 * The command runs under /bin/sh in a session of its own, with the message on
 * descriptor 0, the report on 1 and 2, and no other descriptor. When it ends,
 * or its time is over, everything that it started and left behind is killed.
 */
#ifndef LOCAL_PROGRAM_H
#define LOCAL_PROGRAM_H

#include "local/message.h"

struct program_limits {
	unsigned seconds;   /* for one program; 0: none */
	uint64_t processes; /* of the user; 0: as inherited */
	uint64_t memory;    /* bytes of data of one process; 0: as inherited */
};

enum program_result {
	PROGRAM_NEXT,   /* exit 0: go on */
	PROGRAM_STOP,   /* exit 99: success, ignore further lines */
	PROGRAM_FAILED, /* e->kind says whether for good; e->text may be empty */
};

enum program_result program_run(const char *command, char *const *environment, const struct program_limits *limits,
				const struct message *m, struct err *e);

/* What the exit code of a program means. Pure. */
enum program_result program_meaning(int code, struct err *e);

#endif

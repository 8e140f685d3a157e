/*
 * classicform: the files of a queue in qmail's classic layout (contract
 * §5.1), as bytes. Pure. Whoever calls gives the addresses of a file to its
 * own function, one by one; false means that the file is not what it should
 * be, and nothing after the fault was given.
 */
#ifndef CLASSICQUEUE_CLASSICFORM_H
#define CLASSICQUEUE_CLASSICFORM_H

#include "base/buf.h"

typedef void classic_address(void *ctx, struct str address, bool done);

/* info/S/N: the sender. */
bool classic_info(struct str file, struct str *sender);

/* local/S/N and remote/S/N: the recipients, as they are delivered. */
bool classic_channel(struct str file, classic_address *each, void *ctx);

struct classic_todo {
	uint32_t uid, pid;
	struct str sender;
};

/* todo/N: the whole envelope; the recipients as they were given. */
bool classic_todo(struct str file, struct classic_todo *t, classic_address *each, void *ctx);

/*
 * bounce/N: the failures, each with the address of its first line. What
 * stands before the first such line comes with an empty address.
 */
void classic_bounce(struct str file, void (*each)(void *ctx, struct str address, struct str text), void *ctx);

/* The other way. */
void classic_put_info(struct buf *b, struct str sender);
void classic_put_recipient(struct buf *b, struct str address, bool done);
void classic_put_bounce(struct buf *b, struct str address, struct str text);

#endif

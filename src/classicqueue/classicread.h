/*
 * classicread: reading a stopped queue in qmail's classic layout.
 */
#ifndef CLASSICQUEUE_CLASSICREAD_H
#define CLASSICQUEUE_CLASSICREAD_H

#include "base/buf.h"
#include "base/err.h"

struct classic_recipient {
	struct str address; /* as it was given, or (local, remote) as it is delivered */
	bool done, local, remote;
};

struct classic_message {
	uint64_t number;
	uint64_t stamp;     /* when its content was written: numbers are used again, both together are not */
	int64_t birth, due; /* due 0: at once */
	uint32_t uid, pid;  /* 0 where they are not known any more */
	struct str sender;
	struct classic_recipient *recipients;
	uint32_t nrecipients, room;
	struct str bounce; /* what has failed, as classic_bounce reads it */
	int content;
	struct buf files[5]; /* what the views look into */
};

enum classic_found {
	CLASSIC_MESSAGE,
	CLASSIC_UNFINISHED, /* never acknowledged to whoever brought it */
	CLASSIC_FINISHED,   /* everybody has it, and nobody is to be told */
};

/*
 * Opens the directory that holds mess/, info/ …, and takes its lock, so that
 * no qmail-send can run on it (they are released by closing *dir and *lock).
 */
bool classic_open(const char *path, int *dir, int *lock, struct err *e);

/* The numbers of all messages, sorted: *n of them, to be freed. */
bool classic_numbers(int dir, uint64_t **numbers, size_t *n, struct err *e);

/* Reads one. False: it cannot be read, e says which file. m is to be freed when it is a message. */
bool classic_read(int dir, uint64_t number, struct classic_message *m, enum classic_found *found, struct err *e);
void classic_message_free(struct classic_message *m);

#endif

/*
 * queue_arguments: the arguments of quill queue: which home, which messages,
 * how to print.
 */
#ifndef QUILL_QUEUE_ARGUMENTS_H
#define QUILL_QUEUE_ARGUMENTS_H

#include "queuequery/queuefilter.h"

struct queue_arguments {
	struct queue_filter filter;
	uint64_t *ids; /* owned */
	size_t nids;
	const char *words[3]; /* further arguments: the new addresses of edit, the DIR of import and export */
	int nwords;
	const char *reason; /* --because */
	bool all, json, body, dry, numbers, remove;
	uint64_t split;
};

/*
 * nwords: how many arguments may follow that are no numbers. Makes the home
 * from -C. False: said what is wrong.
 */
bool queue_arguments_read(struct queue_arguments *a, int argc, char **argv, int nwords);
/* queue_import.c, queue_export.c */
int quill_queue_import(int argc, char **argv);
int quill_queue_export(int argc, char **argv);
void queue_arguments_free(struct queue_arguments *a);

#endif

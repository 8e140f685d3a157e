/*
 * queue_print: messages of the queue for people and, as one JSON object a
 * line, for programs.
 */
#ifndef QUILL_QUEUE_PRINT_H
#define QUILL_QUEUE_PRINT_H

#include "queuequery/queuefilter.h"

struct queue_printer {
	struct route_tables routes;
	int64_t now;
	bool json;
	struct buf out, deliver;
};

bool queue_printer_init(struct queue_printer *p, struct err *e);
void queue_printer_free(struct queue_printer *p);

/* "7m", "3h": how long that is. */
void queue_put_age(struct buf *b, int64_t seconds);
/* Text from outside with its lines behind `indent`; control bytes as '?'. */
void queue_put_text(struct buf *b, struct str text, const char *indent);

/* A message in the list, or (details) with everything that is known of it. */
void queue_print_message(struct queue_printer *p, const struct queue_message *m, bool details);

/* The members of m's JSON object, without the braces, appended to out. */
void queue_put_json(struct queue_printer *p, struct buf *out, const struct queue_message *m);

#endif

/* qmail-qstat: how many messages are in the queue (contract §17.3). */
#include <stdio.h>

#include "queuequery/queuequery.h"
#include "sys/home.h"

int main(void)
{
	struct queue_figures f;
	struct err e;

	if (!home_open(&e) || !queuequery_figures(&f, &e)) {
		fprintf(stderr, "qmail-qstat: fatal: %s\n", e.text);
		return 111;
	}
	/* Messages are routed when they arrive: none ever waits to be preprocessed. */
	printf("messages in queue: %llu\nmessages in queue but not yet preprocessed: 0\n",
	       (unsigned long long)f.messages);
	return 0;
}

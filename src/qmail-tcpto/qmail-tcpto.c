/* qmail-tcpto: which servers did not answer (contract §17.4). */
#include <inttypes.h>
#include <stdio.h>

#include "deadhosts/deadhosts.h"
#include "sys/home.h"

static void print(const struct dead_host *h)
{
	printf("%.*s timed out %" PRIu64 " seconds ago; # recent timeouts: %" PRIu32 "\n", STR_ARG(h->address),
	       h->seconds, h->timeouts);
}

int main(void)
{
	struct err e;

	if (home_open(&e) && deadhosts_ask(false, print, &e))
		return 0;
	/* On standard output, as ever. */
	printf("fatal: %s\n", e.text);
	return 111;
}

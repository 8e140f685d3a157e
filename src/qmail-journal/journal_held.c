/*
 * journal_held: the memory that messages take while they come in. Everybody
 * on the machine may send; all of it together must not end this process.
 */
#include <sys/resource.h>

#include "qmail-journal/journal_server.h"

#define MEMORY_DEFAULT (UINT64_C(8) << 30)
#define SHARE 4    /* of the memory that the process may have: so much in all */
#define PARTS 1600 /* of that: so much for one client, when it is used up */
#define PART_MIN (512u << 10)
#define HARMLESS (64u << 20) /* less than this is not worth a question */

static uint64_t most(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_DATA, &r) == -1 || r.rlim_cur == RLIM_INFINITY)
		return MEMORY_DEFAULT / SHARE;
	return r.rlim_cur / SHARE;
}

bool held_too_much(struct server *sv, size_t *before, size_t now)
{
	uint64_t all;

	sv->held = sv->held - *before + now;
	*before = now;
	if (now <= PART_MIN || sv->held <= HARMLESS)
		return false;
	all = most();
	return sv->held > all && now > all / PARTS;
}

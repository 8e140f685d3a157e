#include "linelog/oldlogs.h"

#include <string.h>

#include "sys/file.h"

struct look {
	size_t shortest;
	char *oldest;
	int n;
};

static bool consider(void *ctx, const char *name)
{
	struct look *look = ctx;
	size_t n = strlen(name);

	if (name[0] != '@' || n < look->shortest || n > NAME_MAX)
		return true;
	if (look->n++ == 0 || strcmp(name, look->oldest) < 0)
		memcpy(look->oldest, name, n + 1);
	return true;
}

int oldlogs_look(int dir, size_t shortest, char oldest[NAME_MAX + 1])
{
	struct look look = { .shortest = shortest, .oldest = oldest };

	return file_list(dir, consider, &look) == -1 ? -1 : look.n;
}

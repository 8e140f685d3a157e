/*
 * readproctitle ARGUMENT…: shows the last bytes of its input in its own last
 * argument, where ps can be seen to print them (contract-companions §2.2).
 * Exit 100 when that argument is too short, 111 when reading fails.
 */
#include <string.h>
#include <unistd.h>

#include "base/exitcode.h"
#include "sys/io.h"

#define KEPT 3 /* the dots at the start say that something may be missing */
#define SHORTEST 5

/* The bytes of `chunk` but NULs scroll in from the right. */
static void scroll(char *shown, size_t n, const char *chunk, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (chunk[i] == 0)
			continue;
		memmove(shown + KEPT, shown + KEPT + 1, n - KEPT - 1);
		shown[n - 1] = chunk[i];
	}
}

int main(int argc, char **argv)
{
	size_t n = argc < 2 ? 0 : strlen(argv[argc - 1]);
	char chunk[512];
	ssize_t r;

	if (n < SHORTEST)
		return EXIT_PERMANENT;
	memset(argv[argc - 1], '.', n);
	while ((r = io_read(0, chunk, sizeof chunk)) > 0)
		scroll(argv[argc - 1], n, chunk, (size_t)r);
	return r == 0 ? 0 : EXIT_TEMPORARY;
}

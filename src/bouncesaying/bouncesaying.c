/*
 * bouncesaying TEXT [ PROGRAM… ]: returns the message to its sender with TEXT,
 * if the program exits 0 or there is none (contract §18). Exit 100 to return
 * it, else 0; 111 when the program cannot say.
 */
#include <stdio.h>

#include "filter/child.h"
#include "filter/tool.h"

#define ME "bouncesaying"

int main(int argc, char **argv)
{
	if (argc < 2)
		tool_usage(ME, "error [ program [ arg ... ] ]");
	if (argc > 2 && child_verdict(ME, argv + 2) != 0)
		return 0;
	fprintf(stderr, "%s\n", argv[1]);
	return 100;
}

/*
 * predate PROGRAM…: gives the program a Date field and then the standard
 * input (contract §14.2). Exit code: the program's.
 */
#include "filter/datefield.h"
#include "filter/tool.h"

#define ME "predate"

int main(int argc, char **argv)
{
	if (argc < 2)
		tool_usage(ME, "child");
	return datefield_feed(ME, argv + 1);
}

/*
 * except PROGRAM…: turns the program's verdict around (contract §18). Exit
 * 100 when it exits 0, 111 when it cannot say, else 0.
 */
#include "filter/child.h"
#include "filter/tool.h"

#define ME "except"

int main(int argc, char **argv)
{
	if (argc < 2)
		tool_usage(ME, "program [ arg ... ]");
	return child_verdict(ME, argv + 1) == 0 ? 100 : 0;
}

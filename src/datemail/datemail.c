/*
 * datemail ARGUMENTS: sendmail with the same arguments, for a message with a
 * Date field of local time in front (contract §14.2).
 */
#include <stdlib.h>

#include "base/mem.h"
#include "filter/datefield.h"
#include "filter/tool.h"
#include "sys/home.h"

#define ME "datemail"

int main(int argc, char **argv)
{
	char **command = mem_array(NULL, (size_t)argc + 2, sizeof *command);
	struct err e;
	int code;

	if (!home_open(&e))
		tool_die(ME, 111, "%s", e.text);
	command[0] = mem_copy(str_of(home_program("sendmail")));
	for (int i = 1; i < argc; i++)
		command[i] = argv[i];
	command[argc > 0 ? argc : 1] = NULL;
	code = datefield_feed(ME, command);
	free(command[0]);
	free(command);
	return code;
}

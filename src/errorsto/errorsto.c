/*
 * errorsto FILE PROGRAM…: the program with its error output appended to FILE
 * (contract-companions §2.1). Silent: exit 100 for a wrong call, 111 for
 * trouble.
 */
#include <fcntl.h>
#include <unistd.h>

#include "base/exitcode.h"
#include "filter/childenv.h"

int main(int argc, char **argv)
{
	struct childenv env = childenv_start();
	int fd;

	if (argc < 3)
		return EXIT_PERMANENT;
	fd = open(argv[1], O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	if (fd == -1 || dup2(fd, 2) == -1)
		return EXIT_TEMPORARY;
	childenv_run(&env, argv[2], argv + 2);
	return EXIT_TEMPORARY;
}

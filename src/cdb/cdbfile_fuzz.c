#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <sys/mman.h>

#include "cdb/cdbfile.h"
#include "sys/io.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A database that passes the check is then searched: no look-up may leave it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str image = { (const char *)data, size }, value;
	struct cdbfile f;
	struct err e;
	bool found;
	char path[64];
	int fd;

	if (!cdbfile_check(image, &e))
		return 0;
	fd = memfd_create("fuzz", MFD_CLOEXEC);
	if (fd == -1 || io_write_all(fd, data, size) == -1)
		abort();
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	if (!cdbfile_open(&f, -1, path, &e))
		abort();
	for (size_t n = 0; n < 4; n++)
		if (cdbfile_find(&f, str_head(str_from(image, 2056), n), &found, &value, &e) && found && value.n)
			(void)(*(volatile const char *)value.p + *(volatile const char *)(value.p + value.n - 1));
	cdbfile_close(&f);
	close(fd);
	return 0;
}

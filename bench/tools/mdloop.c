/*
 * mdloop -n N -P processes [-l bytes] [-D] MAILDIR
 * What the disk allows: delivers N messages into a Maildir by nothing but
 * create in tmp, write, fsync, link to new, unlink; with -D also an fsync of
 * new, so that the name is durable as well.  Prints one JSON line.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void fail(const char *what)
{
	perror(what);
	_exit(1);
}

static void deliver(int tmp, int new, int i, const char *text, size_t size, int sync_names)
{
	char name[64];
	int fd;

	snprintf(name, sizeof name, "%d.%d", (int)getpid(), i);
	fd = openat(tmp, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (fd == -1 || write(fd, text, size) != (ssize_t)size || fsync(fd) || close(fd))
		fail("mdloop: tmp");
	if (linkat(tmp, name, new, name, 0) || (sync_names && fsync(new)) || unlinkat(tmp, name, 0))
		fail("mdloop: new");
}

static void work(const char *maildir, int n, size_t size, int sync_names)
{
	char *text = malloc(size);
	int tmp, new;

	memset(text, 'x', size);
	if (chdir(maildir) || (tmp = open("tmp", O_RDONLY | O_DIRECTORY)) == -1 ||
	    (new = open("new", O_RDONLY | O_DIRECTORY)) == -1)
		fail("mdloop");
	for (int i = 0; i < n; i++)
		deliver(tmp, new, i, text, size, sync_names);
	_exit(0);
}

int main(int argc, char **argv)
{
	int n = 1, par = 1, sync_names = 0, bad = 0, c, status;
	size_t size = 4096;
	double t0, dt;

	while ((c = getopt(argc, argv, "n:P:l:D")) != -1)
		switch (c) {
		case 'n': n = atoi(optarg); break;
		case 'P': par = atoi(optarg); break;
		case 'l': size = strtoul(optarg, 0, 10); break;
		case 'D': sync_names = 1; break;
		default: return 2;
		}
	if (optind != argc - 1 || n < par || par < 1)
		return 2;
	n -= n % par;
	t0 = now();
	for (int i = 0; i < par; i++) {
		pid_t p = fork();

		if (p == -1)
			fail("mdloop: fork");
		if (p == 0)
			work(argv[optind], n / par, size, sync_names);
	}
	while (wait(&status) > 0)
		bad |= status;
	dt = now() - t0;
	printf("{\"messages\":%d,\"secs\":%.4f,\"rate\":%.1f}\n", n, dt, n / dt);
	return bad != 0;
}

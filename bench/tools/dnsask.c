/*
 * dnsask SOCKET COUNT WINDOW TYPE FORMAT: questions to qmail-resolve over one
 * connection, WINDOW of them under way at a time. FORMAT makes the names from
 * the question's number (%lu). Prints one JSON line: seconds in all, how many
 * answers said "found", and, with a window of 1, the median of one question in
 * microseconds.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void put32(unsigned char *to, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		to[i] = (unsigned char)(v >> 8 * i);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void ask(int fd, uint32_t id, int type, const char *format)
{
	unsigned char packet[1100];
	int n = snprintf((char *)packet + 10, 1000, format, (unsigned long)id);

	packet[0] = 1;
	put32(packet + 1, id);
	packet[5] = (unsigned char)type;
	put32(packet + 6, (uint32_t)n);
	if (send(fd, packet, (size_t)n + 10, 0) < 0) {
		perror("dnsask: send");
		exit(111);
	}
}

int main(int argc, char **argv)
{
	static unsigned char answer[300000];
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	unsigned long count, window, asked = 0, found = 0;
	double *took, start, last;
	int fd, type;

	if (argc != 6) {
		fprintf(stderr, "usage: dnsask SOCKET COUNT WINDOW TYPE FORMAT\n");
		return 100;
	}
	count = strtoul(argv[2], NULL, 10);
	window = strtoul(argv[3], NULL, 10);
	type = atoi(argv[4]);
	took = calloc(count, sizeof *took);
	strncpy(sun.sun_path, argv[1], sizeof sun.sun_path - 1);
	fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	if (took == NULL || fd < 0 || connect(fd, (struct sockaddr *)&sun, sizeof sun) < 0) {
		perror("dnsask");
		return 111;
	}
	start = last = now();
	for (unsigned long i = 0; i < count; i++) {
		while (asked < count && asked < i + window)
			ask(fd, (uint32_t)asked++, type, argv[5]);
		if (recv(fd, answer, sizeof answer, 0) < 6) {
			perror("dnsask: recv");
			return 111;
		}
		if (answer[5] == 0)
			found++;
		else if (found == i)
			/* The first words are enough. */
			fprintf(stderr, "dnsask: outcome %d: %.*s\n", answer[5], answer[12], answer + 16);
		took[i] = now() - last;
		last += took[i];
	}
	qsort(took, count, sizeof *took, compare);
	printf("{\"seconds\": %.4f, \"found\": %lu, \"median_us\": %.1f}\n", last - start, found, took[count / 2] * 1e6);
	return 0;
}

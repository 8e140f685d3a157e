/*
 * lspawnload SOCKET RECIPIENT COUNT FLIGHT SIZE: COUNT deliveries of a SIZE
 * byte message over qmail-lspawn's socket, FLIGHT at a time (the protocol is
 * src/wire/delivery.h). %d in RECIPIENT is the number of the delivery. Prints one JSON line.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static char *put(char *p, uint64_t v, int n)
{
	while (n--) {
		*p++ = (char)v;
		v >>= 8;
	}
	return p;
}

static char *put_str(char *p, const char *s)
{
	p = put(p, strlen(s), 4);
	return stpcpy(p, s);
}

static int make_message(size_t size)
{
	int fd = memfd_create("message", MFD_CLOEXEC);
	char *text = malloc(size + 200);
	size_t n = (size_t)sprintf(text, "Received: (qmail 1 invoked by uid 0); 21 Nov 2026 10:06:03 -0000\n"
	                                 "From: a@a.test\nTo: b@b.test\nSubject: x\n\n");
	while (n < size) {
		text[n] = n % 72 == 71 ? '\n' : 'x';
		n++;
	}
	if (write(fd, text, n) != (ssize_t)n)
		exit(1);
	free(text);
	return fd;
}

static void request(int s, uint32_t id, const char *recipient, size_t size)
{
	char packet[4096], name[512], *p = packet;
	struct iovec iov = { packet, 0 };
	union {
		struct cmsghdr h;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
	/* Each local delivery has its own open file. */
	int fd = make_message(size);

	snprintf(name, sizeof name, recipient, id);
	p = put(p, 1, 1);
	p = put(p, id, 4);
	p = put(p, id, 8);
	p = put(p, size, 8);
	p = put(p, 0, 1);
	p = put_str(p, "sender@s.test");
	p = put_str(p, "");
	p = put(p, 1, 4);
	p = put_str(p, name);
	iov.iov_len = (size_t)(p - packet);
	control.h = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof fd), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
	memcpy(CMSG_DATA(&control.h), &fd, sizeof fd);
	if (sendmsg(s, &msg, 0) == -1) {
		perror("sendmsg");
		exit(1);
	}
	close(fd);
}

int main(int argc, char **argv)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	uint32_t count, flight, sent = 0, done = 0, ok = 0;
	size_t size;
	double start;

	if (argc != 6)
		return 100;
	strncpy(sa.sun_path, argv[1], sizeof sa.sun_path - 1);
	count = (uint32_t)atol(argv[3]);
	flight = (uint32_t)atol(argv[4]);
	size = (size_t)atol(argv[5]);
	if (connect(s, (void *)&sa, sizeof sa) == -1) {
		perror(argv[1]);
		return 1;
	}
	start = now();
	while (done < count) {
		char result[16384];
		ssize_t n;

		while (sent < count && sent - done < flight)
			request(s, sent++, argv[2], size);
		n = recv(s, result, sizeof result, 0);
		if (n < 14) {
			fprintf(stderr, "the connection ended\n");
			return 1;
		}
		if (result[9] == 'K')
			ok++;
		else if (done - ok == 0)
			fprintf(stderr, "%.*s\n", (int)n - 15, result + 14);
		done++;
	}
	start = now() - start;
	printf("{\"deliveries\": %u, \"ok\": %u, \"seconds\": %.3f, \"per_second\": %.0f}\n", done, ok, start, done / start);
	return ok == count ? 0 : 1;
}

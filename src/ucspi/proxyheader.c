#include "ucspi/proxyheader.h"

#include <errno.h>
#include <poll.h>

#include "sys/io.h"
#include "ucspi/dial.h"

/* Every header is at least this long, and its kind is clear by then. */
#define START 12
#define V2_FIXED 16

static const struct str v2_signature = { "\r\n\r\n\0\r\nQUIT\n", START };

static bool next_word(struct str *rest, struct str *word)
{
	return str_cut(*rest, ' ', word, rest) || word->n;
}

static bool take_ip(struct str *rest, bool v6, struct inetaddr *a)
{
	struct str word;

	return next_word(rest, &word) && inetaddr_parse_ip(word, a) && a->v6 == v6;
}

static bool take_port(struct str *rest, struct inetaddr *a)
{
	struct str word;
	uint64_t port;

	if (!next_word(rest, &word) || !str_to_u64(word, &port) || port > 65535)
		return false;
	a->port = (uint16_t)port;
	return true;
}

/* "PROXY TCP4 remote local remoteport localport". */
static enum proxyheader parse_v1(struct str got, struct inetaddr *remote, struct inetaddr *local, size_t *wanted)
{
	struct str line = str_head(got, str_chr(got, '\n')), rest, word;
	bool v6;

	*wanted = 1;
	if (line.n == got.n)
		return got.n < PROXYHEADER_V1_MAX ? PROXYHEADER_MORE : PROXYHEADER_BAD;
	if (line.n == 0 || line.p[line.n - 1] != '\r')
		return PROXYHEADER_BAD;
	rest = str_from((struct str){ line.p, line.n - 1 }, sizeof "PROXY " - 1);
	if (!next_word(&rest, &word))
		return PROXYHEADER_BAD;
	if (str_eq(word, STR("UNKNOWN")))
		return PROXYHEADER_OWN;
	v6 = str_eq(word, STR("TCP6"));
	if ((!v6 && !str_eq(word, STR("TCP4"))) || !take_ip(&rest, v6, remote) || !take_ip(&rest, v6, local) ||
	    !take_port(&rest, remote) || !take_port(&rest, local) || rest.n)
		return PROXYHEADER_BAD;
	return PROXYHEADER_GIVEN;
}

static uint16_t u16(struct str s, size_t at)
{
	return (uint16_t)((unsigned char)s.p[at] << 8 | (unsigned char)s.p[at + 1]);
}

static enum proxyheader v2_addresses(struct str body, size_t size, struct inetaddr *remote, struct inetaddr *local)
{
	if (body.n < 2 * size + 4)
		return PROXYHEADER_BAD;
	*remote = *local = (struct inetaddr){ .v6 = size == 16 };
	memcpy(remote->ip, body.p, size);
	memcpy(local->ip, body.p + size, size);
	remote->port = u16(body, 2 * size);
	local->port = u16(body, 2 * size + 2);
	return PROXYHEADER_GIVEN;
}

static enum proxyheader parse_v2(struct str got, struct inetaddr *remote, struct inetaddr *local, size_t *wanted)
{
	size_t length;

	*wanted = V2_FIXED - got.n;
	if (got.n < V2_FIXED)
		return PROXYHEADER_MORE;
	length = V2_FIXED + (size_t)u16(got, 14);
	if (length > PROXYHEADER_V2_MAX)
		return PROXYHEADER_BAD;
	*wanted = length - got.n;
	if (got.n < length)
		return PROXYHEADER_MORE;
	if (got.p[12] == 0x20)
		return PROXYHEADER_OWN;
	if (got.p[12] != 0x21)
		return PROXYHEADER_BAD;
	if (got.p[13] == 0x11)
		return v2_addresses(str_from(got, V2_FIXED), 4, remote, local);
	if (got.p[13] == 0x21)
		return v2_addresses(str_from(got, V2_FIXED), 16, remote, local);
	return PROXYHEADER_OWN;
}

/*
 * A proxy whose one socket takes both families names IPv4 clients as ::ffff:192.0.2.1. Rules and lists know them
 * as 192.0.2.1.
 */
static enum proxyheader unmapped(enum proxyheader found, struct inetaddr *remote, struct inetaddr *local)
{
	if (found == PROXYHEADER_GIVEN) {
		inetaddr_unmap(remote);
		inetaddr_unmap(local);
	}
	return found;
}

enum proxyheader proxyheader_parse(struct str got, struct inetaddr *remote, struct inetaddr *local, size_t *wanted)
{
	*wanted = START - got.n;
	if (got.n < START)
		return PROXYHEADER_MORE;
	if (str_starts(got, v2_signature))
		return unmapped(parse_v2(got, remote, local, wanted), remote, local);
	if (str_starts(got, STR("PROXY ")))
		return unmapped(parse_v1(got, remote, local, wanted), remote, local);
	return PROXYHEADER_BAD;
}

enum proxyheader proxyheader_read(int fd, int64_t deadline, struct inetaddr *remote, struct inetaddr *local)
{
	struct buf got = BUF_INIT(PROXYHEADER_V2_MAX);
	enum proxyheader found;
	size_t wanted;

	while ((found = proxyheader_parse(buf_str(&got), remote, local, &wanted)) == PROXYHEADER_MORE) {
		char *room = buf_room(&got, wanted);
		ssize_t r = room && dial_wait(fd, POLLIN, deadline) ? io_read(fd, room, wanted) : -1;

		if (r <= 0) {
			found = PROXYHEADER_BAD;
			break;
		}
		buf_wrote(&got, (size_t)r);
	}
	buf_free(&got);
	return found;
}

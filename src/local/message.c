#include "local/message.h"

#include <assert.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

bool message_rewind(const struct message *m, struct err *e)
{
	return lseek(m->fd, 0, SEEK_SET) == 0 || err_temp(e, "Unable to rewind message. (#4.3.0)");
}

bool message_open(struct message *m, int fd, struct err *e)
{
	struct stat st;

	m->fd = fd;
	m->at = m->n = 0;
	if (fstat(fd, &st) == -1)
		return err_temp(e, "Unable to rewind message. (#4.3.0)");
	m->size = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
	return S_ISREG(st.st_mode) || message_rewind(m, e);
}

static ssize_t read_at(const struct message *m, char *p, size_t n, uint64_t offset)
{
	ssize_t r;

	do
		r = pread(m->fd, p, n, (off_t)offset);
	while (r == -1 && errno == EINTR);
	return r;
}

/* Reads until `want` bytes are there: the size is known, so nothing is read only to see the end. */
static bool fill(struct message *m, uint64_t offset, size_t want)
{
	char *block = m->space + MESSAGE_PREFIX_MAX;

	m->at = offset;
	m->n = 0;
	while (m->n < want) {
		ssize_t r = read_at(m, block + m->n, want - m->n, offset + m->n);

		if (r <= 0) {
			/* Shorter than it was: somebody truncates it. */
			errno = r == 0 ? EIO : errno;
			m->n = 0;
			return false;
		}
		m->n += (size_t)r;
	}
	return true;
}

bool message_block(struct message *m, uint64_t offset, struct str *block, struct err *e)
{
	uint64_t left = m->size > offset ? m->size - offset : 0;
	size_t want = left < MESSAGE_BLOCK ? (size_t)left : MESSAGE_BLOCK;

	if ((offset != m->at || m->n != want) && !fill(m, offset, want)) {
		err_temp(e, "Unable to read message: %s. (#4.3.0)", errno_text(errno));
		return false;
	}
	*block = (struct str){ m->space + MESSAGE_PREFIX_MAX, m->n };
	return true;
}

bool message_first(struct message *m, struct str prefix, struct str *piece, uint64_t *taken, struct err *e)
{
	struct str block;
	char *start;

	assert(prefix.n <= MESSAGE_PREFIX_MAX);
	if (!message_block(m, 0, &block, e))
		return false;
	start = m->space + MESSAGE_PREFIX_MAX - prefix.n;
	memcpy(start, prefix.p, prefix.n);
	*piece = (struct str){ start, prefix.n + block.n };
	*taken = block.n;
	return true;
}

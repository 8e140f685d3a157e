/*
 * journal_fill: writing zeros into the journal's segment ahead of its
 * records, in a thread of its own.
 *
 * Space that is only reserved costs the file system a change of its own
 * records at the first write to each part, and so a commit of those for
 * nearly every sync of ours. Where zeros have been written before, a sync
 * writes our bytes and nothing else. To whoever reads the segment it is all
 * the same: both read as zeros.
 *
 * A zero must never fall on a record. The journal says up to where it is
 * going to write before it does, under the same lock under which the thread
 * writes, and the thread writes only behind that.
 */
#include <fcntl.h>
#include <pthread.h>

#include "qmail-journal/journal_server.h"
#include "sys/file.h"

/* Written in one go, with the lock held. */
#define CHUNK 262144u
/* Written between two syncs: a sync of the journal has to write that much at most. */
#define BURST 1048576u
/* How far ahead: as far as the segment is used, so that a queue where little happens writes little, and at most this.
 */
#define AHEAD_MAX (8u << 20)

static struct {
	pthread_mutex_t lock;
	pthread_cond_t more;
	int fd;           /* the segment, open for itself: errors of its syncs are not taken from the journal */
	uint64_t size;    /* of the segment */
	uint64_t claimed; /* the journal writes before this */
	uint64_t at;      /* zeros are written up to here */
	uint64_t target;
} fill = { .lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER, .fd = -1 };

static bool behind(void)
{
	return fill.fd != -1 && fill.at < fill.target;
}

/* False: there is nothing to do any more. Called with the lock held. */
static bool write_chunk(void)
{
	static const char zeros[CHUNK];
	uint64_t n;

	if (!behind())
		return false;
	if (fill.at < fill.claimed)
		fill.at = fill.claimed;
	n = fill.size - fill.at < CHUNK ? fill.size - fill.at : CHUNK;
	if (n && file_write_at(fill.fd, zeros, (size_t)n, fill.at) == -1)
		fill.target = 0; /* It is for speed alone. */
	fill.at += n;
	return n != 0;
}

/* Called with the lock held; gives it up between. */
static void write_burst(void)
{
	for (uint64_t done = 0; done < BURST && write_chunk(); done += CHUNK) {
		/* The journal may be waiting for it. */
		pthread_mutex_unlock(&fill.lock);
		pthread_mutex_lock(&fill.lock);
	}
}

static void *work(void *arg)
{
	(void)arg;
	for (;;) {
		int fd;

		pthread_mutex_lock(&fill.lock);
		while (!behind())
			pthread_cond_wait(&fill.more, &fill.lock);
		write_burst();
		/* A copy, because the segment may end meanwhile. */
		fd = fill.fd == -1 ? -1 : fcntl(fill.fd, F_DUPFD_CLOEXEC, 0);
		pthread_mutex_unlock(&fill.lock);
		if (fd != -1) {
			file_sync_data(fd);
			file_close(fd);
		}
	}
	return NULL;
}

bool fill_start(struct err *e)
{
	pthread_t thread;
	int r = pthread_create(&thread, NULL, work, NULL);

	return r == 0 || err_sys(e, r, "unable to start a thread");
}

static void on_segment(void *ctx, int fd, uint64_t size)
{
	(void)ctx;
	pthread_mutex_lock(&fill.lock);
	if (fill.fd != -1)
		file_close(fill.fd);
	fill.fd = fd;
	fill.size = size;
	fill.claimed = fill.at = fill.target = 0;
	pthread_mutex_unlock(&fill.lock);
}

static void on_write(void *ctx, uint64_t end)
{
	(void)ctx;
	pthread_mutex_lock(&fill.lock);
	fill.claimed = end;
	/* Not for every record: when half of the way is used up. */
	if (fill.at < end + (end < AHEAD_MAX ? end : AHEAD_MAX) / 2) {
		fill.target = end + (end < AHEAD_MAX ? end : AHEAD_MAX);
		if (fill.target > fill.size)
			fill.target = fill.size;
		pthread_cond_signal(&fill.more);
	}
	pthread_mutex_unlock(&fill.lock);
}

void fill_options(struct journal_options *o)
{
	o->on_segment = on_segment;
	o->on_write = on_write;
}

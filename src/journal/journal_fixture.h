/*
 * journal_fixture: a journal on a simulated disk, for tests. Not for others.
 */
#ifndef JOURNAL_JOURNAL_FIXTURE_H
#define JOURNAL_JOURNAL_FIXTURE_H

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "journal/journal.h"
#include "journal/journal_internal.h"
#include "simdisk/simdisk.h"
#include "sys/file.h"
#include "wire/wire.h"

#define FIRST "journal/0000000000000001.journal"

/* ---- a journal on the simulated disk ------------------------------------------------------- */

static struct {
	struct journal *j;
	int root;
	struct buf warnings;
	uint32_t segment_size;
	uint32_t part; /* how recovery goes */
} t;

static inline int format(void **state)
{
	(void)state;
	simdisk_format();
	t.root = file_open_dir(AT_FDCWD, "/");
	t.warnings = BUF_INIT(1 << 20);
	t.segment_size = JOURNAL_SEGMENT_MIN;
	t.part = 0;
	return 0;
}

static inline int release(void **state)
{
	(void)state;
	if (t.j)
		journal_close(t.j);
	t.j = NULL;
	buf_free(&t.warnings);
	simdisk_free();
	return 0;
}

static inline void remember(void *ctx, const char *text)
{
	(void)ctx;
	buf_addz(&t.warnings, text);
	buf_addc(&t.warnings, '\n');
}

static inline bool try_open(bool read_only, struct err *e)
{
	struct journal_options o = {
		.segment_size = t.segment_size, .part = t.part, .read_only = read_only, .warn = remember
	};

	buf_clear(&t.warnings);
	return journal_open(t.root, &o, &t.j, e);
}

static inline void open_journal(void)
{
	struct err e;

	if (!try_open(false, &e))
		fail_msg("%s", e.text);
}

static inline void close_journal(void)
{
	journal_close(t.j);
	t.j = NULL;
}

static inline uint64_t corrupt(void)
{
	struct journal_stats s;

	journal_stats(t.j, &s);
	return s.corrupt;
}

/* Content of a message: its letter, `size` times. */
static inline bool stage(char letter, size_t size, uint32_t nrecipients, uint64_t *id, struct err *e)
{
	char sender[] = "?@example.org", *content = mem_alloc(size);
	struct buf recipients = BUF_INIT(SIZE_MAX);
	struct journal_message m;
	bool ok;

	sender[0] = letter;
	memset(content, letter, size);
	for (uint32_t i = 0; i < nrecipients; i++) {
		wire_put_str(&recipients, STR("r@example.net"));
		wire_put_str(&recipients, STR(""));
	}
	m = (struct journal_message){ .birth = letter,
				      .sender = str_of(sender),
				      .recipients = buf_str(&recipients),
				      .nrecipients = nrecipients,
				      .content = { content, size } };
	*id = journal_new_id(t.j);
	ok = journal_stage_message(t.j, *id, &m, e);
	buf_free(&recipients);
	free(content);
	return ok;
}

static inline uint64_t accept(char letter, size_t size)
{
	struct err e;
	uint64_t id;

	if (!stage(letter, size, 2, &id, &e) || !journal_commit(t.j, true, &e))
		fail_msg("%s", e.text);
	return id;
}

static inline void commit(void)
{
	struct err e;

	if (!journal_commit(t.j, true, &e))
		fail_msg("%s", e.text);
}

/* Is the message there? If it is, it must be whole. */
static inline bool is_whole(uint64_t id, char letter, size_t size)
{
	struct journal_envelope env;
	struct err e;

	if (!journal_read_envelope(t.j, id, &env, &e))
		return false;
	assert_int_equal(env.sender.p[0], letter);
	assert_int_equal(env.content.n, size);
	for (size_t i = 0; i < size; i++)
		assert_int_equal(env.content.p[i], letter);
	buf_free(&env.storage);
	return true;
}

static inline int open_file(const char *name)
{
	int fd = file_open(AT_FDCWD, name, O_RDWR | O_CREAT, 0600);

	assert_int_not_equal(fd, -1);
	return fd;
}

static inline uint64_t size_of(const char *name)
{
	int fd = open_file(name);
	uint64_t n = (uint64_t)file_size(fd);

	file_close(fd);
	return n;
}

static inline bool count_name(void *ctx, const char *name)
{
	(void)name;
	++*(size_t *)ctx;
	return true;
}

static inline size_t count_files(const char *dir)
{
	int fd = file_open_dir(AT_FDCWD, dir);
	size_t n = 0;

	if (fd == -1)
		return 0;
	file_list(fd, count_name, &n);
	file_close(fd);
	return n;
}

struct due {
	uint64_t id;
	int64_t due;
};

static inline void copy_file(const char *from, const char *to)
{
	int in = open_file(from), out = open_file(to);
	size_t n = (size_t)file_size(in);
	char *bytes = mem_alloc(n);

	file_read_at(in, bytes, n, 0);
	file_write_at(out, bytes, n, 0);
	file_truncate(out, n);
	file_close(in);
	file_close(out);
	free(bytes);
}

#endif

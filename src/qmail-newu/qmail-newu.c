/*
 * qmail-newu: users/assign -> users/cdb (contract §3.3). Exit 0, or 111 with
 * one line that says why; the old database then stays as it was.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cdb/cdbmaker.h"
#include "sys/home.h"
#include "sys/io.h"
#include "users/assign.h"

#define ASSIGN_FILE_MAX (1u << 30)

static int die(const char *text)
{
	fprintf(stderr, "qmail-newu: fatal: %s\n", text);
	return 111;
}

/* Remembers the last byte of each prefix, in lower case as addresses are looked up. */
static void note_prefix_end(struct str prefix, bool ends[256])
{
	if (prefix.n)
		ends[(unsigned char)chr_lower(prefix.p[prefix.n - 1])] = true;
}

static bool add_prefix_ends(struct cdbmaker *m, const bool ends[256], struct err *e)
{
	char set[256];
	size_t n = 0;

	for (int c = 0; c < 256; c++)
		if (ends[c])
			set[n++] = (char)c;
	return cdbmaker_add(m, STR(""), (struct str){ set, n }, e);
}

static enum assign_result add_all(struct cdbmaker *m, struct str text, bool *written)
{
	struct buf key = BUF_INIT(ASSIGN_FILE_MAX), value = BUF_INIT(ASSIGN_FILE_MAX);
	bool ends[256] = { false };
	enum assign_result r = ASSIGN_BAD;
	struct assign_line line;
	struct err e;

	*written = true;
	while (*written && (r = assign_next(&text, &line)) == ASSIGN_LINE) {
		buf_clear(&key);
		buf_clear(&value);
		assign_record(&line, &key, &value);
		if (line.wildcard)
			note_prefix_end(line.name, ends);
		*written = cdbmaker_add(m, buf_str(&key), buf_str(&value), &e);
	}
	if (*written && r == ASSIGN_END)
		*written = add_prefix_ends(m, ends, &e);
	buf_free(&key);
	buf_free(&value);
	return r;
}

/* Names are refused with other errors than data: which step of finishing failed? */
static const char *finish_text(const struct err *e)
{
	switch (e->sys) {
	case EACCES:
	case EPERM:
	case EISDIR:
	case ENOTEMPTY:
	case EEXIST:
		return "unable to move users/cdb.tmp to users/cdb";
	}
	return "unable to write users/cdb.tmp";
}

static int build(struct str text)
{
	enum assign_result r;
	struct cdbmaker m;
	struct err e;
	bool written;

	if (!cdbmaker_start(&m, home_dir(), "users/cdb", "users/cdb.tmp", 0644, &e))
		return die("unable to open users/cdb.tmp");
	r = add_all(&m, text, &written);
	if (written && r == ASSIGN_END)
		return cdbmaker_finish(&m, &e) ? 0 : die(finish_text(&e));
	cdbmaker_cancel(&m);
	return die(written ? "bad format in users/assign" : "unable to write users/cdb.tmp");
}

int main(void)
{
	struct buf text = BUF_INIT(ASSIGN_FILE_MAX);
	struct err e;
	int fd, r;

	if (!home_open(&e))
		return die("unable to chdir");
	umask(033);
	fd = openat(home_dir(), "users/assign", O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		return die("unable to open users/assign");
	if (!io_read_rest(fd, &text))
		return die("unable to read users/assign");
	close(fd);
	r = build(buf_str(&text));
	buf_free(&text);
	return r;
}

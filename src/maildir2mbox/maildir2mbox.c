/*
 * maildir2mbox: moves the messages of $MAILDIR to the end of the mbox $MAIL
 * (contract §19). The mbox is copied to $MAILTMP, the messages are appended,
 * it is synced and takes the old one's place; only then they are removed.
 * Exit 0 or 111.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "filter/tool.h"
#include "local/mailvars.h"
#include "local/mboxrd.h"
#include "mailbox/maildirscan.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/io.h"

#define ME "maildir2mbox"
#define CHUNK 65536
#define SENDER_MAX 2000 /* of a Return-Path line: longer ones are none */

static _Noreturn void die(const char *what, const char *name)
{
	tool_die(ME, 111, "unable to %s %s: %s", what, name, errno_text(errno));
}

static const char *setting(const char *name)
{
	const char *value = getenv(name);

	if (value == NULL)
		tool_die(ME, 111, "%s not set", name);
	return value;
}

/* Locks the file that has this name now: the one we waited for may have been replaced meanwhile. */
static int lock_mbox(const char *mail)
{
	for (;;) {
		struct stat ours, named;
		int fd = open(mail, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);

		if (fd == -1 || flock(fd, LOCK_EX) == -1)
			die("lock", mail);
		if (fstat(fd, &ours) == 0 && stat(mail, &named) == 0 && ours.st_ino == named.st_ino &&
		    ours.st_dev == named.st_dev)
			return fd;
		close(fd);
	}
}

struct output {
	const char *name;
	int fd;
	struct buf pending;
};

static void flush(struct output *out)
{
	if (!buf_ok(&out->pending))
		tool_die(ME, 111, "out of memory");
	if (io_write_all(out->fd, out->pending.p, out->pending.n) == -1)
		die("write to", out->name);
	buf_clear(&out->pending);
}

static void copy_old(int from, const char *mail, struct output *out)
{
	for (;;) {
		char *room = buf_room(&out->pending, CHUNK);
		ssize_t r = io_read(from, room, CHUNK);

		if (r < 0)
			die("read", mail);
		if (r == 0)
			return;
		buf_wrote(&out->pending, (size_t)r);
		flush(out);
	}
}

/* The sender that a message's first line gives; a message without one has an unknown sender. */
static struct str sender_of(struct str start)
{
	struct str line = str_head(start, str_chr(start, '\n'));
	size_t close = str_rchr(line, '>');

	if (!str_starts(line, STR("Return-Path: <")) || close == line.n)
		return STR("XX"
			   "X");
	return str_from(str_head(line, close), sizeof "Return-Path: <" - 1);
}

static void copy_message(int dir, const struct maildir_entry *entry, struct output *out)
{
	int fd = file_open(dir, entry->path, O_RDONLY | O_NONBLOCK, 0);
	static char chunk[CHUNK];
	struct mboxrd quoting = { 0 };
	bool first = true;
	ssize_t r;

	if (fd == -1)
		die("read", entry->path);
	while ((r = io_read(fd, chunk, sizeof chunk)) > 0 || first) {
		struct str data = { chunk, r > 0 ? (size_t)r : 0 };

		if (r < 0)
			break;
		if (first)
			mailvars_ufline(&out->pending, sender_of(str_head(data, SENDER_MAX)), entry->mtime.tv_sec);
		first = false;
		mboxrd_add(&quoting, data, &out->pending);
		flush(out);
	}
	if (r < 0)
		die("read", entry->path);
	mboxrd_finish(&quoting, &out->pending);
	flush(out);
	file_close(fd);
}

static void put_in_place(struct output *out, const char *mail)
{
	struct str path = str_of(mail);
	size_t slash = str_rchr(path, '/');
	char *parent = slash == path.n ? mem_copy(STR(".")) : mem_copy(str_head(path, slash + 1));
	int dir;

	if (file_sync(out->fd) == -1 || file_close(out->fd) == -1)
		die("write to", out->name);
	if (rename(out->name, mail) == -1)
		tool_die(ME, 111, "unable to move %s to %s: %s", out->name, mail, errno_text(errno));
	dir = file_open_dir(AT_FDCWD, parent);
	if (dir == -1 || file_sync_dir(dir) == -1)
		die("sync", parent);
	file_close(dir);
	free(parent);
}

/* The new mbox may be read by whoever might read the old one. */
static struct output open_output(const char *name, int old)
{
	struct output out = { name, open(name, O_WRONLY | O_TRUNC | O_CREAT | O_CLOEXEC, 0600), BUF_INIT(8 * CHUNK) };
	struct stat st;

	if (out.fd == -1)
		die("create", name);
	if (fstat(old, &st) == 0)
		fchmod(out.fd, st.st_mode & 0777);
	return out;
}

static void move(int dir, const struct maildir_list *list, const char *mail, const char *tmp)
{
	int old = lock_mbox(mail);
	struct output out = open_output(tmp, old);

	copy_old(old, mail, &out);
	for (size_t i = 0; i < list->n; i++)
		copy_message(dir, &list->entry[i], &out);
	put_in_place(&out, mail);
	for (size_t i = 0; i < list->n; i++)
		if (file_unlink(dir, list->entry[i].path) == -1)
			fprintf(stderr, ME ": warning: %s will be delivered twice; unable to unlink: %s\n",
				list->entry[i].path, errno_text(errno));
	close(old);
	buf_free(&out.pending);
}

int main(void)
{
	const char *mail = setting("MAIL"), *tmp = setting("MAILTMP"), *maildir = setting("MAILDIR");
	struct maildir_list list;
	struct err e;
	int dir;

	umask(077);
	if (chdir(maildir) == -1)
		tool_die(ME, 111, "unable to chdir to %s: %s", maildir, errno_text(errno));
	dir = file_open_dir(AT_FDCWD, ".");
	if (dir == -1)
		die("read", maildir);
	maildir_clean_tmp(dir, clock_wall());
	if (!maildir_scan(dir, true, clock_wall(), &list, &e))
		tool_die(ME, 111, "%s", e.text);
	if (list.n)
		move(dir, &list, mail, tmp);
	maildir_list_free(&list);
	file_close(dir);
	return 0;
}

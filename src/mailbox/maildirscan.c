#include "mailbox/maildirscan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/mem.h"
#include "mailbox/maildirsize.h"
#include "sys/dirlist.h"
#include "sys/file.h"

#define ABANDONED_SECONDS (36 * 3600)
#define NAME_LIMIT 4096

struct scan {
	int dirfd;
	const char *folder;
	int64_t before;
	bool believe; /* what names say */
	struct maildir_list *list;
};

static char *join(const char *folder, const char *name)
{
	struct buf b = BUF_INIT(NAME_LIMIT);
	char *path;

	buf_addz(&b, folder);
	buf_addc(&b, '/');
	buf_addz(&b, name);
	path = mem_copy(buf_str(&b));
	buf_free(&b);
	return path;
}

static void add(struct maildir_list *list, struct maildir_entry entry)
{
	if (list->n == list->cap) {
		list->cap = list->cap ? list->cap * 2 : 64;
		list->entry = mem_array(list->entry, list->cap, sizeof *list->entry);
	}
	list->entry[list->n++] = entry;
}

/* "1700000000.…,S=1234,W=1260": a time that is not to come, and both sizes. */
static bool name_tells(const struct scan *s, const char *name, struct maildir_entry *entry)
{
	struct str all = str_of(name), digits = str_head(all, str_chr(all, '.'));
	uint64_t seconds, other;

	if (digits.n < 9 || digits.n > 11 || !str_to_u64(digits, &seconds) || (int64_t)seconds >= s->before ||
	    !maildir_name_size(all, 'S', &entry->size) || !maildir_name_size(all, 'W', &other))
		return false;
	entry->mtime = (struct timespec){ .tv_sec = (time_t)seconds };
	return true;
}

/* A name that is gone when it is looked at was moved or read by somebody else: no error. */
static bool each_message(void *ctx, const char *name, enum dirlist_kind kind)
{
	struct scan *s = ctx;
	struct maildir_entry entry;
	struct stat st;
	char *path;

	if (*name == '.' || kind == DIRLIST_OTHER)
		return true;
	path = join(s->folder, name);
	if (s->believe && kind == DIRLIST_REGULAR && name_tells(s, name, &entry)) {
		entry.path = path;
		add(s->list, entry);
		return true;
	}
	if (fstatat(s->dirfd, path, &st, AT_SYMLINK_NOFOLLOW) == -1 || !S_ISREG(st.st_mode) ||
	    st.st_mtim.tv_sec >= s->before) {
		free(path);
		return true;
	}
	add(s->list, (struct maildir_entry){ path, st.st_mtim, (uint64_t)st.st_size });
	return true;
}

static int scan_folder(struct scan *s, bool (*each)(void *, const char *, enum dirlist_kind))
{
	int fd = file_open_dir(s->dirfd, s->folder), r;

	if (fd == -1)
		return -1;
	r = dirlist(fd, each, s);
	file_close(fd);
	return r;
}

static int by_age(const void *a, const void *b)
{
	const struct maildir_entry *x = a, *y = b;

	if (x->mtime.tv_sec != y->mtime.tv_sec)
		return x->mtime.tv_sec < y->mtime.tv_sec ? -1 : 1;
	if (x->mtime.tv_nsec != y->mtime.tv_nsec)
		return x->mtime.tv_nsec < y->mtime.tv_nsec ? -1 : 1;
	return strcmp(x->path + 4, y->path + 4);
}

static bool scan(int dirfd, bool all, int64_t before, bool believe, struct maildir_list *list, struct err *e)
{
	static const char *const folders[] = { "new", "cur" };

	*list = (struct maildir_list){ 0 };
	for (size_t i = 0; i < (all ? 2 : 1); i++) {
		struct scan s = { dirfd, folders[i], before, believe, list };

		if (scan_folder(&s, each_message) == -1) {
			err_sys(e, errno, "unable to read %s", folders[i]);
			maildir_list_free(list);
			return false;
		}
	}
	if (list->n)
		qsort(list->entry, list->n, sizeof *list->entry, by_age);
	return true;
}

bool maildir_scan(int dirfd, bool all, int64_t before, struct maildir_list *list, struct err *e)
{
	return scan(dirfd, all, before, false, list, e);
}

bool maildir_scan_names(int dirfd, bool all, int64_t before, struct maildir_list *list, struct err *e)
{
	return scan(dirfd, all, before, true, list, e);
}

void maildir_list_free(struct maildir_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->entry[i].path);
	free(list->entry);
	*list = (struct maildir_list){ 0 };
}

static bool each_temporary(void *ctx, const char *name, enum dirlist_kind kind)
{
	struct scan *s = ctx;
	struct stat st;
	char *path;

	(void)kind;
	if (*name == '.')
		return true;
	path = join(s->folder, name);
	if (fstatat(s->dirfd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_atim.tv_sec < s->before)
		file_unlink(s->dirfd, path);
	free(path);
	return true;
}

void maildir_clean_tmp(int dirfd, int64_t now)
{
	struct scan s = { dirfd, "tmp", now - ABANDONED_SECONDS, false, NULL };

	scan_folder(&s, each_temporary);
}

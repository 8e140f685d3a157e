#include "cdb/cdbfile.h"

#include <cdb.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "sys/io.h"

#define HEADER 2048u
#define TABLES 256u
/* Positions are 32 bits wide. */
#define SIZE_LIMIT 0xffffffffll

static uint32_t u32_at(struct str image, size_t pos)
{
	return cdb_unpack((const unsigned char *)image.p + pos);
}

static bool damaged(struct err *e, const char *what)
{
	err_temp(e, "damaged database: %s", what);
	/* What the originals say of it in so many words. */
	e->sys = EPROTO;
	return false;
}

/*
 * A table has twice as many slots as entries, whichever program wrote it, so a table of which a part was lost
 * (read as zeros after a crash) is noticed.
 */
static bool check_table(struct str image, uint32_t pos, uint32_t slots, uint32_t data_end, struct err *e)
{
	uint32_t used = 0;

	for (uint32_t i = 0; i < slots; i++) {
		uint32_t record = u32_at(image, pos + 8 * (size_t)i + 4);

		if (record == 0)
			continue;
		if (record < HEADER || record >= data_end)
			return damaged(e, "an entry points outside the data");
		used++;
	}
	return used * 2ull == slots || damaged(e, "entries are missing");
}

static bool check_records(struct str image, uint32_t data_end, struct err *e)
{
	uint64_t pos = HEADER;

	while (pos < data_end) {
		if (data_end - pos < 8)
			return damaged(e, "a record is cut off");
		pos += 8ull + u32_at(image, pos) + u32_at(image, pos + 4);
	}
	return pos == data_end || damaged(e, "a record is too long");
}

bool cdbfile_check(struct str image, struct err *e)
{
	uint64_t data_end = image.n;

	if (image.n < HEADER || (int64_t)image.n > SIZE_LIMIT)
		return damaged(e, "impossible size");
	for (size_t t = 0; t < TABLES; t++) {
		uint64_t pos = u32_at(image, 8 * t), slots = u32_at(image, 8 * t + 4);

		if (pos < HEADER || pos > image.n || slots > (image.n - pos) / 8)
			return damaged(e, "a table lies outside the file");
		if (pos < data_end)
			data_end = pos;
	}
	for (size_t t = 0; t < TABLES; t++)
		if (!check_table(image, u32_at(image, 8 * t), u32_at(image, 8 * t + 4), (uint32_t)data_end, e))
			return false;
	return check_records(image, (uint32_t)data_end, e);
}

/* A private copy of the open file, as a descriptor; -1 with errno. */
static int snapshot(int fd, off_t size)
{
	int copy = memfd_create("cdb", MFD_CLOEXEC);
	char block[65536];
	ssize_t r;
	off_t total = 0;

	if (copy == -1)
		return -1;
	while ((r = io_read(fd, block, sizeof block)) > 0) {
		total += r;
		if (total > size || io_write_all(copy, block, (size_t)r) == -1)
			break;
	}
	if (r == 0 && total == size)
		return copy;
	if (r == 0 || total > size)
		errno = EAGAIN; /* changed while it was read */
	r = errno;
	close(copy);
	errno = (int)r;
	return -1;
}

static bool map_copy(struct cdbfile *f, int copy, struct err *e)
{
	struct str image = { NULL, (size_t)f->seen.st_size };

	f->cdb = mem_zero(1, sizeof *f->cdb);
	if (cdb_init(f->cdb, copy) == -1) {
		free(f->cdb);
		f->cdb = NULL;
		return errno == EPROTO ? damaged(e, "impossible size") : err_sys(e, errno, "unable to map it");
	}
	image.p = cdb_get(f->cdb, (unsigned)image.n, 0);
	return image.p ? cdbfile_check(image, e) : damaged(e, "impossible size");
}

static bool load(struct cdbfile *f, int fd, struct err *e)
{
	int copy;
	bool ok;

	if (fstat(fd, &f->seen) == -1)
		return err_sys(e, errno, "unable to read it");
	if (!S_ISREG(f->seen.st_mode))
		return err_temp(e, "not a regular file");
	if (f->seen.st_size < HEADER || f->seen.st_size > SIZE_LIMIT)
		return damaged(e, "impossible size");
	copy = snapshot(fd, f->seen.st_size);
	if (copy == -1)
		return err_sys(e, errno, "unable to read it");
	ok = map_copy(f, copy, e);
	close(copy);
	if (ok)
		f->cdb->cdb_fd = -1;
	f->present = ok;
	return ok;
}

bool cdbfile_open(struct cdbfile *f, int dirfd, const char *path, struct err *e)
{
	int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	bool ok;

	*f = (struct cdbfile){ .dirfd = dirfd };
	if (fd == -1 && errno != ENOENT) {
		err_sys(e, errno, "unable to open %s", path);
		e->kind = ERR_TEMPORARY;
		return false;
	}
	f->path = mem_copy(str_of(path));
	if (fd == -1)
		return true;
	ok = load(f, fd, e);
	close(fd);
	if (!ok) {
		cdbfile_close(f);
		err_context(e, "%s", path);
		e->kind = ERR_TEMPORARY;
	}
	return ok;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

bool cdbfile_refresh(struct cdbfile *f, struct err *e)
{
	struct cdbfile fresh;
	struct stat now;
	bool there;

	if (f->path == NULL)
		return true;
	there = fstatat(f->dirfd, f->path, &now, 0) == 0;
	if (!there && errno != ENOENT) {
		err_sys(e, errno, "unable to examine %s", f->path);
		e->kind = ERR_TEMPORARY;
		return false;
	}
	if (there ? f->present && same_file(&now, &f->seen) : !f->present)
		return true;
	if (!cdbfile_open(&fresh, f->dirfd, f->path, e))
		return false;
	cdbfile_close(f);
	*f = fresh;
	return true;
}

bool cdbfile_find(const struct cdbfile *f, struct str key, bool *found, struct str *value, struct err *e)
{
	int r = 0;

	*found = false;
	if (f->cdb && key.n <= UINT32_MAX)
		r = cdb_find(f->cdb, key.p, (unsigned)key.n);
	if (r < 0) {
		damaged(e, "a record is out of place");
		return err_context(e, "%s", f->path);
	}
	if (r == 0)
		return true;
	*found = true;
	value->n = cdb_datalen(f->cdb);
	value->p = value->n ? cdb_getdata(f->cdb) : "";
	return value->p || damaged(e, "a record is out of place");
}

void cdbfile_close(struct cdbfile *f)
{
	if (f->cdb)
		cdb_free(f->cdb);
	free(f->cdb);
	free(f->path);
	*f = CDBFILE_INIT;
}

/*
 * file: the file layer below the journal and below Maildir delivery.
 *
 * Every write, sync and change of a directory that a promise depends on goes
 * through these functions. The crash tests link another implementation
 * (simdisk.c) that keeps unsynced data and unsynced names apart, so nothing
 * here may be bypassed: durability means file *and* directory, a file whose
 * name must survive is followed by file_sync_dir of its directory.
 *
 * All functions return -1 and set errno like the system calls they stand for,
 * retry EINTR, and set close-on-exec.
 */
#ifndef SYS_FILE_H
#define SYS_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A directory to work in; *at() style. */
int file_open_dir(int dirfd, const char *path);
/* flags as for open(2); mode for O_CREAT. Symbolic links are not followed in the last component. */
int file_open(int dirfd, const char *path, int flags, mode_t mode);
int file_close(int fd);

/* All n bytes at `offset`, or -1; a short read or write that makes no progress is EIO / ENOSPC. */
int file_write_at(int fd, const void *data, size_t n, uint64_t offset);
/* Bytes read, fewer than n only at the end of the file. */
ssize_t file_read_at(int fd, void *data, size_t n, uint64_t offset);
/* Appends all n bytes at the current position. */
int file_append(int fd, const void *data, size_t n);

/* Size of an open file, or -1. */
int64_t file_size(int fd);
/* Reserves space up to `size` bytes and makes the file that long, reading as zeros; ENOSPC when there is none. */
int file_reserve(int fd, uint64_t size);
int file_truncate(int fd, uint64_t size);

/* fdatasync(2): the data and what is needed to read it back. Never retried by callers after a failure. */
int file_sync_data(int fd);
/* fsync(2) of a file; of a directory opened with file_open_dir. */
int file_sync(int fd);
int file_sync_dir(int dirfd);
/* syncfs(2): all files and names of the file system that dirfd is on; of very many new files this is the quickest way.
 */
int file_sync_all(int dirfd);

int file_rename(int fromdir, const char *from, int todir, const char *to);
int file_link(int fromdir, const char *from, int todir, const char *to);
/* Gives an unnamed file (O_TMPFILE) its name; -1 ENOTSUP-like errors where that cannot be done. */
int file_link_unnamed(int fd, int todir, const char *to);
int file_unlink(int dirfd, const char *path);
int file_make_dir(int dirfd, const char *path, mode_t mode);

/*
 * Calls each(ctx, name) for every entry but "." and "..", in no order; stops
 * early when it returns false. -1 when the directory cannot be read.
 */
int file_list(int dirfd, bool (*each)(void *ctx, const char *name), void *ctx);

#endif

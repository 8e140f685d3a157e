/*
 * simdisk_internal: the simulated disk as its two modules see it.
 *
 *   simdisk.c       state, faults, crash and boot
 *   simdisk_file.c  the functions of sys/file.h
 */
#ifndef SIMDISK_SIMDISK_INTERNAL_H
#define SIMDISK_SIMDISK_INTERNAL_H

#include "simdisk/simdisk.h"

#define SIMDISK_ROOT 0
#define SIMDISK_NAME_MAX 256
#define SIMDISK_NOTHING SIZE_MAX

struct name {
	char text[SIMDISK_NAME_MAX];
	size_t inode;
};

struct names {
	struct name *items;
	size_t n, room;
};

/* Inodes are referred to by their index, so that a disk can be copied. */
struct inode {
	bool is_dir;
	/* Files: both buffers have `room` bytes, zeros behind the size. */
	char *now, *durable;
	unsigned char *dirty; /* a byte a sector: the next sync writes it */
	uint64_t size, durable_size, room;
	bool dirty_size;
	/* Directories. */
	struct names names, durable_names;
};

/* A change of names that is not durable yet. */
struct change {
	enum { ADD, REMOVE, RENAME } kind;
	size_t dir, todir; /* todir: RENAME */
	char name[SIMDISK_NAME_MAX], to[SIMDISK_NAME_MAX];
	size_t inode; /* ADD */
};

struct disk {
	struct inode *inodes;
	size_t ninodes;
	struct change *changes; /* in order */
	size_t nchanges, changes_room;
};

struct handle {
	bool open, append;
	size_t inode;
	uint64_t at;
};

struct disk *simdisk_disk(void);

/* A new inode's index. */
size_t simdisk_inode(bool is_dir);
/* Makes room for a file of `size` bytes. */
void simdisk_grow(struct inode *f, uint64_t size);

/* The inode of a name in a directory, or SIMDISK_NOTHING. */
size_t simdisk_find(const struct names *l, const char *name);
/* Does and notes a change. */
void simdisk_change(const struct change *c);
/* Makes durable what is pending in a directory. */
void simdisk_settle(size_t dir);

/* A descriptor for the inode. */
int simdisk_handle(size_t inode, bool append);
/* NULL (EBADF) when it is not open. */
struct handle *simdisk_get(int fd);

/*
 * Asked by every call before it does anything. GO: do it. FAIL: errno is set, do nothing (a write: half).
 * LAST: the power fails in this call: do it, sync nothing, and fail with EIO.
 */
enum simdisk_verdict { GO, FAIL, LAST };
enum simdisk_verdict simdisk_ask(enum simdisk_kind kind);
/* Is the disk without power, or stopped? */
bool simdisk_dead(void);

/* Would the file still fit with `size` bytes? ENOSPC if not. */
bool simdisk_fits(const struct inode *f, uint64_t size);

#endif

/*
 * simdisk: a simulated disk under sys/file.h, for tests.
 *
 * A test that links this library gets its file_* functions instead of those
 * of sys/file.c (the archive comes first in the link, so the other object is
 * never taken). The disk keeps apart what the programs see and what would
 * survive a power cut:
 *
 *   data    becomes durable by file_sync or file_sync_data of the file, in
 *           sectors of SIMDISK_SECTOR bytes, with the file's size
 *   names   become durable by file_sync_dir of their directory, and only so;
 *           each change (create, link, rename, unlink, mkdir) is atomic
 *
 * There is one disk for the process, and its root is "/", the working
 * directory too. Nothing is thread-safe. Descriptors are the simulation's
 * own: only file_* understand them.
 */
#ifndef SIMDISK_SIMDISK_H
#define SIMDISK_SIMDISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIMDISK_SECTOR 512u

/* An empty disk without limits or faults; everything that was open is closed. */
void simdisk_format(void);
/* As simdisk_format, and releases all memory. */
void simdisk_free(void);

/* Calls that change the disk, since simdisk_format or simdisk_boot. */
uint64_t simdisk_operations(void);

/*
 * The power fails in the n-th changing call from now (1: the next one; 0:
 * never): that call is begun, what it writes is among the things that may
 * survive, and it and every later call fail with EIO.
 */
void simdisk_crash_at(uint64_t n);
bool simdisk_crashed(void);

/* What a power cut leaves of what was not synced. */
enum simdisk_keep {
	SIMDISK_KEEP_NONE,
	SIMDISK_KEEP_ALL,
	SIMDISK_KEEP_SOME, /* each sector, size and change of a name by a coin that the seed tosses */
};

/* Power comes back: nothing is open, and the disk holds what survived. Faults are cleared; the capacity stays. */
void simdisk_boot(enum simdisk_keep keep, uint64_t seed);

/*
 * While it is stopped every call fails with EIO, changes nothing and is not counted. For a process that is killed:
 * stop the disk, let the code release its memory, and go on.
 */
void simdisk_stop(bool stopped);

/* Kinds of calls that can be made to fail, for masks. */
enum simdisk_kind {
	SIMDISK_OPEN = 1,
	SIMDISK_CREATE = 2,
	SIMDISK_READ = 4,
	SIMDISK_WRITE = 8, /* what fails has written half */
	SIMDISK_RESERVE = 16,
	SIMDISK_TRUNCATE = 32,
	SIMDISK_SYNC = 64, /* what was not synced then stays readable, and no later sync writes it */
	SIMDISK_SYNC_DIR = 128,
	SIMDISK_RENAME = 256,
	SIMDISK_LINK = 512,
	SIMDISK_UNLINK = 1024,
	SIMDISK_MAKE_DIR = 2048,
	SIMDISK_LIST = 4096,
	SIMDISK_ANY = 8191,
};

/* From the nth call of these kinds from now on, `times` calls fail with errnum. nth 0: none does. */
void simdisk_fail(unsigned kinds, uint64_t nth, uint64_t times, int errnum);

/* Bytes that all files together may have; more is ENOSPC. 0: no limit. */
void simdisk_set_capacity(uint64_t bytes);
uint64_t simdisk_used(void);

/*
 * A copy of the disk, unsynced parts included, without what is open; and going back to it. simdisk_restore closes
 * everything and clears faults.
 */
struct simdisk_image;
struct simdisk_image *simdisk_save(void);
void simdisk_restore(const struct simdisk_image *image);
void simdisk_image_free(struct simdisk_image *image);

/* Open descriptors, to find leaks. */
size_t simdisk_open_count(void);

#endif

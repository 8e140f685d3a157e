/*
 * sandbox: how a long-running process gives up what it no longer needs.
 *
 * A program states its rights in one constant table and calls sandbox_enter
 * before it reads the first byte from outside. What the table does not name
 * is gone for good, for the process and all its children:
 *
 *   no new privileges   set-id bits of what is executed mean nothing
 *   memory, core files  RLIMIT_DATA as stated, no core files (they hold mail)
 *   system calls        seccomp: what is not granted fails with ENOSYS, which
 *                       the C library understands; what only an intruder
 *                       would call (ptrace, mount, execve …) ends the process
 *   files               Landlock: only below the directories named; no TCP
 *                       without SANDBOX_INTERNET; signals only to own children
 *
 * Descriptors that are already open stay as they are, so that sockets to
 * listen on are made before.
 *
 * Where the system offers no seccomp or no Landlock the log says so, once, and
 * mail goes on. There is no switch at run time. Built with -DSANDBOX_NULL (for the
 * sanitizers and coverage, which cannot work inside), sandbox_enter does
 * nothing.
 */
#ifndef SANDBOX_SANDBOX_H
#define SANDBOX_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum sandbox_may {
	SANDBOX_UNIX = 1 << 0,       /* make Unix sockets and connect them */
	SANDBOX_INTERNET = 1 << 1,   /* make, bind and connect IPv4 and IPv6 sockets */
	SANDBOX_INTERFACES = 1 << 2, /* ask for the machine's own addresses (getifaddrs) */
	SANDBOX_ACCEPT = 1 << 3,     /* accept on sockets that listen already */
	SANDBOX_FORK = 1 << 4,       /* have child processes, wait for them and signal them */
	SANDBOX_THREADS = 1 << 5,
	/*
	 * Run other people's programs. Nobody here can know what those need,
	 * and some are set-id: such a process keeps all rights, and only its
	 * core files go (the programs may ask for theirs).
	 */
	SANDBOX_PROGRAMS = 1 << 6,
	/* SANDBOX_PROGRAMS where $QMAILQUEUE names a program, else nothing. */
	SANDBOX_QUEUE_PROGRAM = 1 << 7,
	/*
	 * The process lives for one connection. Making the filter of system
	 * calls takes a millisecond, half of what such a process costs, and is
	 * left out; the rest takes less than a tenth of that.
	 */
	SANDBOX_BRIEF = 1 << 8,
};

enum sandbox_access { SANDBOX_READ, SANDBOX_WRITE /* and read, create, rename, remove */ };

struct sandbox_path {
	/*
	 * A directory, below the home or absolute. It may be a symbolic link;
	 * links directly in it may lead out of it, then the directory where
	 * they lead to is open as well. One that does not exist is left out.
	 */
	const char *path;
	enum sandbox_access access;
};

#define SANDBOX_PATHS_MAX 6

struct sandbox_rights {
	const char *name; /* for the log; NULL: nothing is logged */
	unsigned may;     /* enum sandbox_may, or-ed */
	uint64_t memory;  /* bytes of writable private memory; a lower limit that is in force stays; 0: as it is */
	struct sandbox_path paths[SANDBOX_PATHS_MAX]; /* until the first without a path */
};

#define SANDBOX_MIB (UINT64_C(1) << 20)
#define SANDBOX_GIB (UINT64_C(1) << 30)

/*
 * Gives up everything that r does not name. The home must be open; threads
 * must not run yet. False: something could not be given up although the system
 * offers the means, and the caller must not go on.
 */
bool sandbox_enter(const struct sandbox_rights *r, struct err *e);

/* Is this a build without a sandbox? For tests. */
bool sandbox_is_null(void);

#endif

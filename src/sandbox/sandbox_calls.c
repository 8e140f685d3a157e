/*
 * sandbox_calls: which system calls, by seccomp.
 *
 * Calls are granted in groups. A call that is not granted fails with ENOSYS
 * instead of ending the process: a new C library tries new calls and falls
 * back on old ones when it gets just this answer, so that no update of it
 * stops the mail. Names that libseccomp does not know on this machine are
 * passed over.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <malloc.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "sandbox/sandbox_internal.h"

struct group {
	unsigned may;             /* any of these rights grants it; 0: everybody has it */
	const char *const *names; /* ended by NULL */
};

#define NAMES(...)                \
	(const char *const[])     \
	{                         \
		__VA_ARGS__, NULL \
	}

static const struct group groups[] = {
	/* Open descriptors. Connecting and sending to an address need a socket of one's own, see below. */
	{ 0,
	  NAMES("read", "readv", "pread64", "preadv", "preadv2", "write", "writev", "pwrite64", "pwritev", "pwritev2",
		"recvfrom", "recvmsg", "recvmmsg", "sendto", "sendmsg", "sendmmsg", "recv", "send", "shutdown", "lseek",
		"_llseek", "close", "close_range", "dup", "dup2", "dup3", "fcntl", "fcntl64", "sendfile", "sendfile64",
		"splice", "getsockname", "getpeername", "getsockopt", "setsockopt", "memfd_create") },
	/* Waiting. */
	{ 0, NAMES("poll", "ppoll", "ppoll_time64", "select", "_newselect", "pselect6", "pselect6_time64",
		   "epoll_create", "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "eventfd",
		   "eventfd2", "pipe", "pipe2", "socketpair", "signalfd", "signalfd4", "timerfd_create",
		   "timerfd_settime", "timerfd_settime64", "timerfd_gettime", "nanosleep", "clock_nanosleep",
		   "clock_nanosleep_time64", "pause", "alarm", "setitimer", "getitimer") },
	/* Looking at files; what may be opened is Landlock's business, what may be written is below. */
	{ 0,
	  NAMES("stat", "stat64", "lstat", "lstat64", "fstat", "fstat64", "fstatat64", "newfstatat", "statx", "statfs",
		"statfs64", "fstatfs", "fstatfs64", "access", "faccessat", "faccessat2", "readlink", "readlinkat",
		"getdents", "getdents64", "getcwd", "chdir", "fchdir", "fadvise64", "fadvise64_64", "umask") },
	/* Memory, threads' locks, signals of one's own. */
	{ 0, NAMES("brk", "munmap", "mremap", "madvise", "msync", "mincore", "futex", "futex_time64", "set_robust_list",
		   "get_robust_list", "rseq", "membarrier", "sched_yield", "sched_getaffinity", "rt_sigaction",
		   "rt_sigprocmask", "rt_sigreturn", "sigreturn", "rt_sigpending", "rt_sigsuspend", "rt_sigtimedwait",
		   "sigaltstack", "restart_syscall", "exit", "exit_group", "set_tid_address", "arch_prctl") },
	/* Questions. */
	{ 0,
	  NAMES("getpid", "getppid", "gettid", "getuid", "getuid32", "geteuid", "geteuid32", "getgid", "getgid32",
		"getegid", "getegid32", "getgroups", "getgroups32", "getpgrp", "getpgid", "getsid", "getresuid",
		"getresgid", "clock_gettime", "clock_gettime64", "clock_getres", "clock_getres_time64", "gettimeofday",
		"time", "times", "getrandom", "getrlimit", "ugetrlimit", "getrusage", "sysinfo", "uname", "getcpu") },
	{ SANDBOX_ACCEPT, NAMES("accept", "accept4") },
	{ SANDBOX_UNIX | SANDBOX_INTERNET, NAMES("connect") },
	/* For getifaddrs the kernel wants a bound socket. */
	{ SANDBOX_INTERNET | SANDBOX_INTERFACES, NAMES("bind") },
	{ SANDBOX_FORK, NAMES("fork", "vfork", "wait4", "waitpid", "waitid", "kill") },
};

/* For whoever may write somewhere. */
static const char *const changing[] = {
	"open",    "openat",   "fsync",     "fdatasync", "sync_file_range", "fallocate", "ftruncate", "ftruncate64",
	"rename",  "renameat", "renameat2", "link",      "linkat",          "unlink",    "unlinkat",  "mkdir",
	"mkdirat", "rmdir",    "fchmod",    "flock",     "copy_file_range", NULL
};

/* No program of ours and no library under it ever calls these: whoever does has broken in. */
static const char *const hostile[] = { "execve",
				       "execveat",
				       "ptrace",
				       "process_vm_readv",
				       "process_vm_writev",
				       "pidfd_getfd",
				       "kcmp",
				       "userfaultfd",
				       "mount",
				       "umount",
				       "umount2",
				       "move_mount",
				       "open_tree",
				       "fsopen",
				       "fsconfig",
				       "fsmount",
				       "fspick",
				       "mount_setattr",
				       "pivot_root",
				       "chroot",
				       "swapon",
				       "swapoff",
				       "unshare",
				       "setns",
				       "open_by_handle_at",
				       "name_to_handle_at",
				       "bpf",
				       "perf_event_open",
				       "init_module",
				       "finit_module",
				       "create_module",
				       "delete_module",
				       "kexec_load",
				       "kexec_file_load",
				       "reboot",
				       "add_key",
				       "request_key",
				       "keyctl",
				       "io_uring_setup",
				       "io_uring_enter",
				       "io_uring_register",
				       "io_setup",
				       "iopl",
				       "ioperm",
				       "modify_ldt",
				       "personality",
				       "acct",
				       "quotactl",
				       "quotactl_fd",
				       "lookup_dcookie",
				       "nfsservctl",
				       "uselib",
				       "vm86",
				       "vm86old",
				       "settimeofday",
				       "clock_settime",
				       "clock_settime64",
				       "adjtimex",
				       "clock_adjtime",
				       "sethostname",
				       "setdomainname",
				       "mknod",
				       "mknodat",
				       "vhangup",
				       "syslog",
				       "fanotify_init",
				       "move_pages",
				       "migrate_pages",
				       NULL };

struct filter {
	scmp_filter_ctx ctx;
	int error; /* the first, as a positive errno */
};

static void rule(struct filter *f, uint32_t action, const char *name, unsigned n, const struct scmp_arg_cmp *args)
{
	int nr = seccomp_syscall_resolve_name(name), r;

	if (nr == __NR_SCMP_ERROR || f->error)
		return;
	r = seccomp_rule_add_array(f->ctx, action, nr, n, args);
	if (r < 0)
		f->error = -r;
}

static void rules(struct filter *f, uint32_t action, const char *const *names)
{
	for (; *names; names++)
		rule(f, action, *names, 0, NULL);
}

/* Granted when the bits of mask in an argument have this value. */
static void allow_masked(struct filter *f, const char *name, unsigned argument, uint64_t mask, uint64_t value)
{
	struct scmp_arg_cmp cmp = { argument, SCMP_CMP_MASKED_EQ, mask, value };

	rule(f, SCMP_ACT_ALLOW, name, 1, &cmp);
}

static void allow_value(struct filter *f, const char *name, unsigned argument, uint64_t value)
{
	/* The kernel looks at 32 bits of these. */
	allow_masked(f, name, argument, 0xffffffff, value);
}

static void allow_sockets(struct filter *f, unsigned may)
{
	const struct scmp_arg_cmp netlink[] = { { 0, SCMP_CMP_MASKED_EQ, 0xffffffff, AF_NETLINK },
						{ 2, SCMP_CMP_MASKED_EQ, 0xffffffff, NETLINK_ROUTE } };

	if (may & SANDBOX_UNIX)
		allow_value(f, "socket", 0, AF_UNIX);
	if (may & SANDBOX_INTERNET) {
		/* Streams and datagrams, no raw packets. */
		for (int type = SOCK_STREAM; type <= SOCK_DGRAM; type++) {
			const struct scmp_arg_cmp v4[] = { { 0, SCMP_CMP_MASKED_EQ, 0xffffffff, AF_INET },
							   { 1, SCMP_CMP_MASKED_EQ, 0xf, (unsigned)type } };
			const struct scmp_arg_cmp v6[] = { { 0, SCMP_CMP_MASKED_EQ, 0xffffffff, AF_INET6 },
							   { 1, SCMP_CMP_MASKED_EQ, 0xf, (unsigned)type } };

			rule(f, SCMP_ACT_ALLOW, "socket", 2, v4);
			rule(f, SCMP_ACT_ALLOW, "socket", 2, v6);
		}
	}
	if (may & SANDBOX_INTERFACES)
		rule(f, SCMP_ACT_ALLOW, "socket", 2, netlink);
}

static void allow_opening(struct filter *f, bool writes)
{
	/* Also where there is no Landlock, a program that only reads can change nothing. */
	uint64_t changes = O_ACCMODE | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY);

	if (writes) {
		rules(f, SCMP_ACT_ALLOW, changing);
		return;
	}
	allow_masked(f, "open", 1, changes, O_RDONLY);
	allow_masked(f, "openat", 2, changes, O_RDONLY);
}

/*
 * clone3 hides its flags from filters; without it the C library uses clone.
 * New name spaces would give back, inside, what was taken away.
 */
static void allow_processes(struct filter *f, unsigned may)
{
	const uint64_t spaces =
	    CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
#ifdef __s390x__
	const unsigned flags = 1;
#else
	const unsigned flags = 0;
#endif

	if (may & SANDBOX_FORK)
		allow_masked(f, "clone", flags, spaces, 0);
	else if (may & SANDBOX_THREADS)
		allow_masked(f, "clone", flags, spaces | CLONE_THREAD, CLONE_THREAD);
}

/* Everything that is loaded is loaded: no new code, and none written. */
static void allow_memory(struct filter *f)
{
	allow_masked(f, "mmap", 2, PROT_EXEC, 0);
	allow_masked(f, "mmap2", 2, PROT_EXEC, 0);
	allow_masked(f, "mprotect", 2, PROT_EXEC, 0);
}

static void allow_by_argument(struct filter *f, const struct sandbox_rights *r)
{
	allow_sockets(f, r->may);
	allow_opening(f, sandbox_writes(r));
	allow_processes(f, r->may);
	allow_memory(f);
	allow_value(f, "ioctl", 1, FIONREAD);
	allow_value(f, "ioctl", 1, FIONBIO);
	allow_value(f, "prctl", 0, PR_SET_NAME);
	allow_value(f, "prctl", 0, PR_SET_PDEATHSIG);
	/* Limits of its own. */
	allow_value(f, "prlimit64", 0, 0);
	/* abort() */
	allow_value(f, "tgkill", 2, SIGABRT);
}

static void fill(struct filter *f, const struct sandbox_rights *r)
{
	/* Sorted into a tree. A few calls old and many new kernels answer from a table of their own. */
	seccomp_attr_set(f->ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	seccomp_attr_set(f->ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
		if (groups[i].may == 0 || groups[i].may & r->may)
			rules(f, SCMP_ACT_ALLOW, groups[i].names);
	allow_by_argument(f, r);
	rules(f, SCMP_ACT_KILL_PROCESS, hostile);
}

bool sandbox_limit_calls(const struct sandbox_rights *r, bool *missing, struct err *e)
{
	struct filter f = { .ctx = seccomp_init(SCMP_ACT_ERRNO(ENOSYS)) };

	if (f.ctx == NULL)
		return err_temp(e, "unable to make a filter of system calls");
	fill(&f, r);
	/* Some containers and emulators have none, each refusing in its own way. */
	if (f.error == 0)
		*missing = seccomp_load(f.ctx) != 0;
	seccomp_release(f.ctx);
#ifdef __GLIBC__
	/* What making the filter took would be copied at every fork. */
	malloc_trim(0);
#endif
	return f.error == 0 || err_sys(e, f.error, "unable to make a filter of system calls");
}

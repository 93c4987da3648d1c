/* SPDX-License-Identifier: ISC */
/*
 * sandbox_seccomp.c - which system calls a thread may make, by seccomp.
 *
 * One table says who may call what.  libseccomp makes filters of it, once and
 * for every role, so that a thread applies its own without allocating.  Names
 * that this system or this libseccomp does not know are left out: those are
 * calls of other C libraries and machines.
 */
#include "sandbox_internal.h"

#ifdef HAVE_SECCOMP

#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define BIT(role) (1U << (role))
#define X BIT(SANDBOX_EXPORTING)
#define L BIT(SANDBOX_LIVE)
#define R BIT(SANDBOX_REPLAY)
#define N BIT(SANDBOX_RESOLVING)
#define ALL (X | L | R | N)

#define LOW UINT64_C(0xffffffff) /* an int; what is above does not count */

#if defined(__s390x__) || defined(__s390__)
#define CLONE_FLAGS 1 /* clone's first two arguments are swapped there */
#define MMAP_EXEC 0   /* mmap has its arguments in memory */
#else
#define CLONE_FLAGS 0
#define MMAP_EXEC PROT_EXEC
#endif

/* Calls that threads may make whatever the arguments; blanks separate them. */
static const struct {
	unsigned int roles;
	const char *names;
} calls[] = {
	/* Descriptors that are there. */
	{ ALL, "read readv pread64 write writev close lseek _llseek" },
	{ ALL, "fstat fstat64 newfstatat fstatat64 statx fcntl fcntl64" },
	{ ALL, "fadvise64 fadvise64_64 arm_fadvise64_64" },
	{ ALL, "poll ppoll ppoll_time64" },
	/* Memory, threads, time, and the end. */
	{ ALL, "brk munmap mremap madvise" },
	{ ALL, "futex futex_time64 sched_yield set_robust_list rseq" },
	{ ALL, "membarrier sched_getaffinity set_tid_address" },
	{ ALL, "clock_gettime clock_gettime64 clock_getres" },
	{ ALL, "clock_getres_time64 gettimeofday time nanosleep" },
	{ ALL, "clock_nanosleep clock_nanosleep_time64 restart_syscall" },
	{ ALL, "rt_sigreturn sigreturn rt_sigprocmask sigprocmask" },
	{ ALL, "rt_sigaction sigaction sigaltstack tgkill" },
	{ ALL, "getpid gettid getrandom uname exit exit_group" },
	/* Sockets: to collectors, name servers, syslog; of interfaces. */
	{ X | L | N, "connect bind send sendto sendmsg sendmmsg" },
	{ X | L | N, "recv recvfrom recvmsg recvmmsg recvmmsg_time64" },
	{ X | L | N, "getsockopt setsockopt getsockname getpeername" },
	{ X, "shutdown accept accept4" },
	/* Files, as far as Landlock and the user's rights go. */
	{ X | L | N, "open openat stat stat64 lstat lstat64 access" },
	{ X | L | N, "faccessat faccessat2 getdents getdents64" },
	{ X | L | N, "readlink readlinkat" },
	{ X | N, "getcwd fstatfs statfs" },
	{ X, "ftruncate ftruncate64 fsync fdatasync umask link linkat" },
	{ X, "rename renameat renameat2 unlink unlinkat" },
	/* Of libpcap and the C library, and on the way to the background. */
	{ X | L | N, "select _newselect pselect6 pselect6_time64" },
	{ X | L | N, "eventfd2 pipe pipe2 getuid getuid32 geteuid" },
	{ X | L | N, "geteuid32 getgid getgid32 getegid getegid32" },
	{ X | N, "epoll_create1 epoll_ctl epoll_wait epoll_pwait" },
	{ X | N, "sysinfo prlimit64 getrlimit ugetrlimit" },
	{ X, "dup dup2 dup3 chdir" },
};

/* Calls that threads may make if (argument & mask) == value. */
static const struct permit {
	unsigned int roles;
	const char *name;
	unsigned int argument;
	uint64_t mask, value;
} permits[] = {
	{ X | L | N, "socket", 0, LOW, AF_UNIX },
	{ X | L | N, "socket", 0, LOW, AF_INET },
	{ X | L | N, "socket", 0, LOW, AF_INET6 },
	{ X | L | N, "socket", 0, LOW, AF_NETLINK },
	{ L, "socket", 0, LOW, AF_PACKET },
	{ X | L | N, "ioctl", 1, 0xff00, 0x8900 }, /* SIOC: netdevice(7) */
	{ ALL, "ioctl", 1, LOW, TCGETS },
	{ ALL, "ioctl", 1, LOW, TIOCGWINSZ },
	{ X | N, "ioctl", 1, LOW, FIONREAD }, /* getaddrinfo */
	/* Memory that can be executed only where modules are loaded. */
	{ ALL, "mprotect", 2, PROT_EXEC, 0 },
	{ ALL, "mmap", 2, MMAP_EXEC, 0 },
	{ ALL, "mmap2", 2, PROT_EXEC, 0 },
	{ X | N, "mmap", 2, PROT_EXEC | PROT_WRITE, PROT_EXEC },
	{ X | N, "mmap2", 2, PROT_EXEC | PROT_WRITE, PROT_EXEC },
	/* Threads that look names up; they narrow the filter further. */
	{ X, "clone", CLONE_FLAGS, CLONE_THREAD, CLONE_THREAD },
	{ X, "seccomp", 0, LOW, SECCOMP_SET_MODE_FILTER },
};

/* Calls that fail, since there is another way. */
static const struct {
	unsigned int roles;
	const char *name;
	int error;
} refusals[] = {
	{ ALL, "clone3", ENOSYS }, /* its flags cannot be seen; then: clone */
	{ R, "open", EACCES },     /* malloc asks how many processors */
	{ R, "openat", EACCES },
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define FILTER_MAX 4096 /* BPF_MAXINSNS */
#define ROOM_OCTETS 1048576

static struct sock_fprog program[SANDBOX_ROLES];

/* Names of calls, packed: the handler of SIGSYS shall not allocate. */
#define NAMES_MAX 600
static char names[16384];
static uint16_t name_at[NAMES_MAX];
static long first_number;

const char *
sandbox_seccomp_missing(void)
{
	uint32_t action = SECCOMP_RET_TRAP;

	if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0)
		return NULL;
	return "the kernel refuses it";
}

static void
learn_names(void)
{
	size_t used = 1;

	first_number = seccomp_syscall_resolve_name("read") & ~511;
	for (int n = 0; n < NAMES_MAX; n++) {
		char *name = seccomp_syscall_resolve_num_arch(
		    SCMP_ARCH_NATIVE, (int)first_number + n);
		size_t len = name == NULL ? 0 : strlen(name) + 1;

		if (len > 0 && used + len <= sizeof(names)) {
			memcpy(names + used, name, len);
			name_at[n] = (uint16_t)used;
			used += len;
		}
		free(name);
	}
}

const char *
sandbox_seccomp_name(long number)
{
	long n = number - first_number;

	return n < 0 || n >= NAMES_MAX || name_at[n] == 0 ? "?"
							  : names + name_at[n];
}

/* Rules for a role may name calls that this system does not have. */
static int
add(scmp_filter_ctx ctx, uint32_t action, const char *name, unsigned int n,
    const struct scmp_arg_cmp *cmp)
{
	int number = seccomp_syscall_resolve_name(name);

	return number == __NR_SCMP_ERROR
		   ? 0
		   : seccomp_rule_add_array(ctx, action, number, n, cmp);
}

/* Allow the calls that a list names. */
static int
allow_list(scmp_filter_ctx ctx, const char *list)
{
	char name[32];
	int error = 0;

	while (error == 0 && *list != '\0') {
		size_t len = strcspn(list, " ");

		if (len < sizeof(name)) {
			(void)strlcpy(name, list, len + 1);
			error = add(ctx, SCMP_ACT_ALLOW, name, 0, NULL);
		}
		list += len + strspn(list + len, " ");
	}
	return error;
}

/* Rules for one role.  0, or libseccomp's negative errno. */
static int
add_rules(scmp_filter_ctx ctx, unsigned int role)
{
	int error = 0;

	for (size_t i = 0; error == 0 && i < COUNT(calls); i++)
		if ((calls[i].roles & role) != 0)
			error = allow_list(ctx, calls[i].names);
	for (size_t i = 0; error == 0 && i < COUNT(permits); i++) {
		const struct permit *p = &permits[i];
		const struct scmp_arg_cmp cmp = { p->argument,
			SCMP_CMP_MASKED_EQ, p->mask, p->value };

		if ((p->roles & role) != 0)
			error = add(
			    ctx, SCMP_ACT_ALLOW, p->name, p->mask != 0, &cmp);
	}
	for (size_t i = 0; error == 0 && i < COUNT(refusals); i++)
		if ((refusals[i].roles & role) != 0)
			error = add(ctx,
			    SCMP_ACT_ERRNO((uint32_t)refusals[i].error),
			    refusals[i].name, 0, NULL);
	return error;
}

/* Take the filter out of libseccomp, which writes it to a descriptor. */
static int
export_filter(scmp_filter_ctx ctx, struct sock_fprog *to)
{
	struct sock_filter filter[FILTER_MAX];
	int fd[2], error;
	ssize_t n;

	if (pipe(fd) == -1)
		return -errno;
	error = seccomp_export_bpf(ctx, fd[1]); /* less than a pipe holds */
	close(fd[1]);
	n = error == 0 ? read(fd[0], filter, sizeof(filter)) : 0;
	close(fd[0]);
	if (error != 0 || n <= 0)
		return error != 0 ? error : -EIO;
	to->filter = malloc((size_t)n);
	if (to->filter == NULL)
		return -ENOMEM;
	memcpy(to->filter, filter, (size_t)n);
	to->len = (unsigned short)((size_t)n / sizeof(filter[0]));
	return 0;
}

static int
compile(enum sandbox_role role)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_TRAP);
	int error;

	if (ctx == NULL)
		return -ENOMEM;
	error = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_TRAP);
	if (error == 0)
		error = add_rules(ctx, BIT(role));
	if (error == 0)
		error = export_filter(ctx, &program[role]);
	seccomp_release(ctx);
	return error;
}

/* Short of memory libseccomp may crash: there has to be more than it needs. */
static bool
has_room(void)
{
	void *volatile room = malloc(ROOM_OCTETS);

	free(room);
	return room != NULL;
}

int
sandbox_seccomp_init(unsigned int needs)
{
	(void)needs;
	if (!has_room()) {
		errno = ENOMEM;
		return -1;
	}
	learn_names();
	for (int role = 0; role < SANDBOX_ROLES; role++) {
		int error = compile((enum sandbox_role)role);

		if (error != 0) {
			errno = -error;
			return -1;
		}
	}
	return 0;
}

/*
 * Older kernels would slow the whole thread down against attacks by
 * speculation on its own memory; there is nothing in it that another part of
 * the thread may not see.
 */
int
sandbox_seccomp_enter(enum sandbox_role role)
{
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
	    SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program[role]);
}

#else

const char *
sandbox_seccomp_missing(void)
{
	return "built without libseccomp";
}

int
sandbox_seccomp_init(unsigned int needs)
{
	(void)needs;
	return 0;
}

int
sandbox_seccomp_enter(enum sandbox_role role)
{
	(void)role;
	return 0;
}

const char *
sandbox_seccomp_name(long number)
{
	(void)number;
	return "?";
}

#endif

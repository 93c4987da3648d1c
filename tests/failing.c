/* SPDX-License-Identifier: ISC */
/*
 * failing.c - a library to preload that has one call of the program fail.
 *
 * FAIL_AT=N has the Nth of the calls below fail, as it may by its manual;
 * FAIL_LOG=FILE gets one line: how many calls there were so far at that moment,
 * or at the end, and the name of the one that failed.  Standard output and
 * error are left alone, so that the program can say what is wrong.
 */
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <ifaddrs.h>
#include <link.h>
#include <net/if.h>
#include <netdb.h>
#include <pcap/pcap.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
extern int __poll_chk(struct pollfd *, nfds_t, int, size_t);
extern ssize_t __read_chk(int, void *, size_t, size_t);
extern ssize_t __recv_chk(int, void *, size_t, size_t, int);
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

static atomic_long calls;
static long fail_at = -1; /* -1: not read yet */
static int log_fd = -1;   /* opened first: later nothing may be */
static _Thread_local bool in_compiler;

static void
note(const char *name, long n)
{
	ssize_t (*real)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
	char line[96];
	int len = snprintf(line, sizeof(line), "%ld %s\n", n, name);

	if (log_fd != -1 && real(log_fd, line, (size_t)len) != len)
		abort();
}

#define LIBRARIES_MAX 8

/*
 * Where the C library, libbsd, libseccomp and the loader are.  What they do on
 * their own account is not ours to answer for: short of memory, parts of them
 * abort.
 */
static struct {
	uintptr_t start, end;
} library[LIBRARIES_MAX];
static int libraries;

static int
find_library(struct dl_phdr_info *info, size_t size, void *arg)
{
	static const char *const names[] = { "/libc.so", "/libbsd.so",
		"/libseccomp.so", "/libnss", "/ld-" };
	uintptr_t end = 0;
	bool known = false;

	(void)size;
	(void)arg;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		known |= strstr(info->dlpi_name, names[i]) != NULL;
	if (libraries == LIBRARIES_MAX || !known)
		return 0;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		uintptr_t last = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr +
				 info->dlpi_phdr[i].p_memsz;

		if (info->dlpi_phdr[i].p_type == PT_LOAD && last > end)
			end = last;
	}
	library[libraries].start = info->dlpi_addr;
	library[libraries++].end = end;
	return 0;
}

static bool
is_library(const void *caller)
{
	uintptr_t at = (uintptr_t)caller;

	for (int i = 0; i < libraries; i++)
		if (at >= library[i].start && at < library[i].end)
			return true;
	return false;
}

/* Count a call from `caller`; whether it is the one to fail. */
static bool
fails(const char *name, int error, const void *caller)
{
	long n;

	if (fail_at == -1 || in_compiler || is_library(caller))
		return false;
	n = atomic_fetch_add(&calls, 1) + 1;
	if (n != fail_at)
		return false;
	note(name, n);
	errno = error;
	return true;
}

__attribute__((constructor)) static void
begin(void)
{
	const char *at = getenv("FAIL_AT"), *path = getenv("FAIL_LOG");

	if (path != NULL)
		log_fd =
		    open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	(void)dl_iterate_phdr(find_library, NULL);
	fail_at = at == NULL ? 0 : strtol(at, NULL, 10);
}

__attribute__((destructor)) static void
end(void)
{
	if (atomic_load(&calls) < fail_at || fail_at == 0)
		note("end", atomic_load(&calls));
}

#define CALLER __builtin_return_address(0)
#define REAL(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))

#define FAIL(type, name, error, failed, params, args)                          \
	type name params                                                       \
	{                                                                      \
		static __typeof__(&(name)) real;                               \
                                                                               \
		if (real == NULL)                                              \
			real = REAL(name);                                     \
		return fails(#name, error, CALLER) ? (failed) : real args;     \
	}

/* Without memory libpcap's scanner of filters ends the program, or worse. */
int
pcap_compile(pcap_t *p, struct bpf_program *program, const char *filter,
    int optimize, bpf_u_int32 mask)
{
	int result;

	in_compiler = true;
	result = REAL(pcap_compile)(p, program, filter, optimize, mask);
	in_compiler = false;
	return result;
}

#ifndef NO_ALLOCATIONS
/* dlsym() itself may allocate: glibc's own names do not have to be found. */
/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

void *
malloc(size_t size)
{
	return fails("malloc", ENOMEM, CALLER) ? NULL : __libc_malloc(size);
}

void *
calloc(size_t n, size_t size)
{
	return fails("calloc", ENOMEM, CALLER) ? NULL : __libc_calloc(n, size);
}

void *
realloc(void *p, size_t size)
{
	return fails("realloc", ENOMEM, CALLER) ? NULL
						: __libc_realloc(p, size);
}

void *
aligned_alloc(size_t alignment, size_t size)
{
	return fails("aligned_alloc", ENOMEM, CALLER)
		   ? NULL
		   : __libc_memalign(alignment, size);
}
#endif

FAIL(char *, strdup, ENOMEM, NULL, (const char *s), (s))
FAIL(char *, strndup, ENOMEM, NULL, (const char *s, size_t n), (s, n))
FAIL(int, vasprintf, ENOMEM, -1,
    (char **restrict p, const char *restrict f, va_list ap), (p, f, ap))
FAIL(int, socket, EMFILE, -1, (int d, int t, int p), (d, t, p))
FAIL(int, bind, EADDRINUSE, -1, (int fd, const struct sockaddr *a, socklen_t n),
    (fd, a, n))
FAIL(int, listen, EADDRINUSE, -1, (int fd, int n), (fd, n))
FAIL(int, connect, ENETUNREACH, -1,
    (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n))
FAIL(int, accept, EMFILE, -1,
    (int fd, struct sockaddr *a, socklen_t *restrict n), (fd, a, n))
FAIL(int, setsockopt, ENOPROTOOPT, -1,
    (int fd, int l, int o, const void *v, socklen_t n), (fd, l, o, v, n))
FAIL(int, getsockopt, ENOBUFS, -1,
    (int fd, int l, int o, void *restrict v, socklen_t *restrict n),
    (fd, l, o, v, n))
FAIL(ssize_t, send, ENOBUFS, -1, (int fd, const void *b, size_t n, int f),
    (fd, b, n, f))
FAIL(int, sendmmsg, ENOBUFS, -1,
    (int fd, struct mmsghdr *m, unsigned int n, int f), (fd, m, n, f))
FAIL(ssize_t, recv, EIO, -1, (int fd, void *b, size_t n, int f), (fd, b, n, f))
FAIL(ssize_t, sendmsg, ENOBUFS, -1, (int fd, const struct msghdr *m, int f),
    (fd, m, f))
FAIL(int, getsockname, ENOBUFS, -1,
    (int fd, struct sockaddr *restrict a, socklen_t *restrict n), (fd, a, n))
FAIL(ssize_t, recvfrom, EIO, -1,
    (int fd, void *restrict b, size_t n, int f, struct sockaddr *restrict a,
	socklen_t *restrict len),
    (fd, b, n, f, a, len))
FAIL(ssize_t, recvmsg, EIO, -1, (int fd, struct msghdr *m, int f), (fd, m, f))
FAIL(ssize_t, sendto, ENOBUFS, -1,
    (int fd, const void *b, size_t n, int f, const struct sockaddr *a,
	socklen_t len),
    (fd, b, n, f, a, len))
FAIL(int, shutdown, ENOTCONN, -1, (int fd, int how), (fd, how))
FAIL(int, getifaddrs, ENOMEM, -1, (struct ifaddrs * *list), (list))
FAIL(struct if_nameindex *, if_nameindex, ENOBUFS, NULL, (void), ())
FAIL(unsigned int, if_nametoindex, ENODEV, 0, (const char *name), (name))
FAIL(struct passwd *, getpwnam, EIO, NULL, (const char *name), (name))
FAIL(struct passwd *, getpwuid, EIO, NULL, (uid_t uid), (uid))
FAIL(struct group *, getgrnam, EIO, NULL, (const char *name), (name))
FAIL(int, setgroups, EPERM, -1, (size_t n, const gid_t *list), (n, list))
FAIL(int, setresgid, EPERM, -1, (gid_t r, gid_t e, gid_t s), (r, e, s))
FAIL(int, setresuid, EAGAIN, -1, (uid_t r, uid_t e, uid_t s), (r, e, s))
FAIL(int, chown, EPERM, -1, (const char *p, uid_t u, gid_t g), (p, u, g))
FAIL(int, lchown, EPERM, -1, (const char *p, uid_t u, gid_t g), (p, u, g))
FAIL(int, dup, EMFILE, -1, (int fd), (fd))
FAIL(int, dup2, EMFILE, -1, (int fd, int to), (fd, to))
FAIL(pid_t, waitpid, ECHILD, -1, (pid_t pid, int *status, int f),
    (pid, status, f))
FAIL(int, chmod, EPERM, -1, (const char *p, mode_t m), (p, m))
FAIL(int, access, EACCES, -1, (const char *p, int m), (p, m))
FAIL(ssize_t, read, EIO, -1, (int fd, void *b, size_t n), (fd, b, n))
FAIL(int, pipe, EMFILE, -1, (int fd[2]), (fd))
FAIL(int, pipe2, EMFILE, -1, (int fd[2], int f), (fd, f))
FAIL(int, eventfd, EMFILE, -1, (unsigned int n, int f), (n, f))
FAIL(int, poll, ENOMEM, -1, (struct pollfd * p, nfds_t n, int ms), (p, n, ms))
FAIL(pid_t, fork, EAGAIN, -1, (void), ())
FAIL(pid_t, setsid, EPERM, -1, (void), ())
FAIL(int, chdir, EACCES, -1, (const char *p), (p))
FAIL(int, mkdir, EACCES, -1, (const char *p, mode_t m), (p, m))
FAIL(int, unlink, EACCES, -1, (const char *p), (p))
FAIL(int, rename, EACCES, -1, (const char *a, const char *b), (a, b))
FAIL(int, ftruncate, EIO, -1, (int fd, off_t n), (fd, n))
FAIL(int, stat, EACCES, -1, (const char *restrict p, struct stat *restrict s),
    (p, s))
FAIL(int, lstat, EACCES, -1, (const char *restrict p, struct stat *restrict s),
    (p, s))
FAIL(int, fstat, EIO, -1, (int fd, struct stat *s), (fd, s))
FAIL(ssize_t, getrandom, ENOSYS, -1, (void *b, size_t n, unsigned int f),
    (b, n, f))
FAIL(void *, mmap, ENOMEM, MAP_FAILED,
    (void *a, size_t n, int p, int f, int fd, off_t o), (a, n, p, f, fd, o))
FAIL(int, madvise, EINVAL, -1, (void *a, size_t n, int w), (a, n, w))
FAIL(FILE *, fopen, EMFILE, NULL,
    (const char *restrict p, const char *restrict m), (p, m))
FAIL(FILE *, open_memstream, ENOMEM, NULL, (char **p, size_t *n), (p, n))
FAIL(char *, realpath, EACCES, NULL, (const char *restrict p, char *restrict r),
    (p, r))

/* pthread_create(3) returns its error. */
int
pthread_create(pthread_t *restrict t, const pthread_attr_t *restrict a,
    void *(*run)(void *), void *restrict arg)
{
	return fails("pthread_create", 0, CALLER)
		   ? EAGAIN
		   : REAL(pthread_create)(t, a, run, arg);
}

int
getaddrinfo(const char *restrict host, const char *restrict service,
    const struct addrinfo *restrict hints, struct addrinfo **restrict found)
{
	return fails("getaddrinfo", 0, CALLER)
		   ? EAI_MEMORY
		   : REAL(getaddrinfo)(host, service, hints, found);
}

/* A pipe that has room, and a reader, takes an octet whatever happens. */
static bool
is_pipe(int fd)
{
	struct stat st;

	return REAL(fstat)(fd, &st) == 0 && S_ISFIFO(st.st_mode);
}

ssize_t
write(int fd, const void *b, size_t n)
{
	return fd > STDERR_FILENO && !is_pipe(fd) &&
		       fails("write", ENOSPC, CALLER)
		   ? -1
		   : REAL(write)(fd, b, n);
}

/* Those that take one argument more, or none. */
#define LAST(type, last)                                                       \
	va_list ap;                                                            \
	type value;                                                            \
                                                                               \
	va_start(ap, last);                                                    \
	value = va_arg(ap, type);                                              \
	va_end(ap)

int
open(const char *path, int flags, ...)
{
	LAST(mode_t, flags);
	return fails("open", EMFILE, CALLER) ? -1
					     : REAL(open)(path, flags, value);
}

int
fcntl(int fd, int command, ...)
{
	LAST(void *, command);
	return fd > STDERR_FILENO && fails("fcntl", EINVAL, CALLER)
		   ? -1
		   : REAL(fcntl)(fd, command, value);
}

int
ioctl(int fd, unsigned long request, ...)
{
	LAST(void *, request);
	return fails("ioctl", ENODEV, CALLER) ? -1
					      : REAL(ioctl)(fd, request, value);
}

int
prctl(int option, ...)
{
	va_list ap;
	unsigned long arg[4];

	va_start(ap, option);
	for (size_t i = 0; i < 4; i++)
		arg[i] = va_arg(ap, unsigned long);
	va_end(ap);
	return fails("prctl", EPERM, CALLER)
		   ? -1
		   : REAL(prctl)(option, arg[0], arg[1], arg[2], arg[3]);
}

/* Of capabilities, Landlock and seccomp. */
long
syscall(long number, ...)
{
	va_list ap;
	long arg[6];

	va_start(ap, number);
	for (size_t i = 0; i < 6; i++)
		arg[i] = va_arg(ap, long);
	va_end(ap);
	return fails("syscall", EPERM, CALLER)
		   ? -1
		   : REAL(syscall)(number, arg[0], arg[1], arg[2], arg[3],
			 arg[4], arg[5]);
}

/* As programs with 64-bit file offsets, or _FORTIFY_SOURCE, call them. */
#define ALSO(type, name, params, same)                                         \
	type name params __attribute__((alias(#same)));

ALSO(int, open64, (const char *p, int f, ...), open)
ALSO(int, fcntl64, (int fd, int c, ...), fcntl)
ALSO(int, ftruncate64, (int fd, off_t n), ftruncate)
FAIL(int, stat64, EACCES, -1,
    (const char *restrict p, struct stat64 *restrict s), (p, s))
FAIL(int, lstat64, EACCES, -1,
    (const char *restrict p, struct stat64 *restrict s), (p, s))
FAIL(int, fstat64, EACCES, -1, (int fd, struct stat64 *s), (fd, s))
ALSO(FILE *, fopen64, (const char *restrict p, const char *restrict m), fopen)
FAIL(int, setrlimit64, EPERM, -1,
    (__rlimit_resource_t what, const struct rlimit64 *r), (what, r))
FAIL(int, getrlimit64, EPERM, -1,
    (__rlimit_resource_t what, struct rlimit64 *r), (what, r))
FAIL(ssize_t, __read_chk, EIO, -1, (int fd, void *b, size_t n, size_t len),
    (fd, b, n, len))
FAIL(ssize_t, __recv_chk, EIO, -1,
    (int fd, void *b, size_t n, size_t len, int f), (fd, b, n, len, f))
FAIL(int, __poll_chk, ENOMEM, -1,
    (struct pollfd * p, nfds_t n, int ms, size_t len), (p, n, ms, len))

/* SPDX-License-Identifier: ISC */
/*
 * privdrop.c - give up root; see privdrop.h.
 *
 * Opening an interface again, after it was lost, is the one thing that needs
 * a privilege later.  A helper process that holds it would not make the
 * trusted part smaller: libpcap cannot adopt a descriptor that another
 * process opened, so the helper would have to be libpcap again, with a
 * protocol of its own before it.  Capabilities are per thread on Linux, so
 * the metering threads keep CAP_NET_RAW and all others have none.  It allows
 * raw sockets, which can sniff and forge packets, and no access to files,
 * processes or settings.  A replay keeps nothing.
 */
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "privdrop.h"

#ifdef __linux__
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

#define RUN_DIRECTORY RUNSTATEDIR "/softprobe"
#define DIRECTORY_MODE 0755

static int __attribute__((format(printf, 3, 4)))
complain(char *errbuf, size_t errlen, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(errbuf, errlen, fmt, ap);
	va_end(ap);
	return -1;
}

/* Who to become ---------------------------------------------------------- */

/* The name of who we are, for messages. */
static void
name_self(struct privdrop *pd)
{
	const struct passwd *pw = getpwuid(geteuid());

	if (pw == NULL)
		(void)snprintf(
		    pd->name, sizeof(pd->name), "%ju", (uintmax_t)geteuid());
	else
		(void)strlcpy(pd->name, pw->pw_name, sizeof(pd->name));
}

int
privdrop_find(
    struct privdrop *pd, const char *name, char *errbuf, size_t errlen)
{
	bool root = geteuid() == 0;
	const struct passwd *pw = NULL;

	*pd = (struct privdrop){ .change = false };
	name_self(pd);
	if (name == NULL ? !root : strcmp(name, "none") == 0)
		return 0;
	pw = getpwnam(name == NULL ? PRIVDROP_USER : name);
	if (pw == NULL && name == NULL) {
		pd->homeless = true;
		return 0;
	}
	if (pw == NULL)
		return complain(errbuf, errlen,
		    "--user %.64s: no such user; give the name of one, or "
		    "none to stay",
		    name);
	if (pw->pw_uid == geteuid())
		return 0;
	if (!root)
		return complain(errbuf, errlen,
		    "--user %.64s: only root can become another user; leave "
		    "it out",
		    name);
	pd->change = true;
	pd->uid = pw->pw_uid;
	pd->gid = pw->pw_gid;
	(void)strlcpy(pd->name, pw->pw_name, sizeof(pd->name));
	return 0;
}

void
privdrop_directory(const struct privdrop *pd, const char *path)
{
	char folder[256];
	struct stat st;
	char *slash;
	bool ours;

	if (strlcpy(folder, path, sizeof(folder)) >= sizeof(folder))
		return;
	slash = strrchr(folder, '/');
	if (slash == NULL || slash == folder)
		return;
	*slash = '\0';
	ours = mkdir(folder, DIRECTORY_MODE) == 0;
	/* One that a run as root left behind, where only root makes any. */
	if (!ours && strcmp(folder, RUN_DIRECTORY) == 0)
		ours = lstat(folder, &st) == 0 && S_ISDIR(st.st_mode) &&
		       st.st_uid == 0;
	/* If it stays root's, the file stays there at the end. */
	if (ours && pd->change && lchown(folder, pd->uid, pd->gid) == -1)
		return;
}

/* Capabilities ----------------------------------------------------------- */

#ifdef __linux__

#define CAPABILITY(n) (UINT64_C(1) << (n))

static uint64_t
capabilities_of(unsigned int keep)
{
	return ((keep & PRIVDROP_CAPTURE) != 0 ? CAPABILITY(CAP_NET_RAW) : 0) |
	       ((keep & PRIVDROP_NFLOG) != 0 ? CAPABILITY(CAP_NET_ADMIN) : 0);
}

/* Reduce this thread's capabilities to those of `keep` that it has. */
static int
limit_capabilities(uint64_t keep)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3,
		0 };
	struct __user_cap_data_struct data[2] = { { 0 } };

	if (syscall(SYS_capget, &head, data) == -1)
		return -1;
	for (int i = 0; i < 2; i++) {
		data[i].permitted &= (uint32_t)(keep >> (32 * i));
		data[i].effective = data[i].permitted;
		data[i].inheritable = 0;
	}
	return (int)syscall(SYS_capset, &head, data);
}

void
privdrop_raise(void)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3,
		0 };
	struct __user_cap_data_struct data[2] = { { 0 } };

	if (syscall(SYS_capget, &head, data) == -1)
		return;
	for (int i = 0; i < 2; i++)
		data[i].effective = data[i].permitted;
	(void)syscall(SYS_capset, &head, data); /* it was permitted */
}

/* What executing a program could give; without the right to, nothing. */
static void
empty_sets(void)
{
	for (unsigned long c = 0; prctl(PR_CAPBSET_READ, c, 0, 0, 0) >= 0; c++)
		(void)prctl(PR_CAPBSET_DROP, c, 0, 0, 0);
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
}

static int
keep_over_change(bool on)
{
	return prctl(PR_SET_KEEPCAPS, on, 0, 0, 0);
}

/* Whoever reads our memory, or a dump of it, reads packets. */
static int
close_doors(void)
{
	if (!PRIVDROP_SANITIZER && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1)
		return -1;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

const char *
privdrop_names(unsigned int keep)
{
	static const char *const names[] = {
		"none",
		[PRIVDROP_CAPTURE] = "CAP_NET_RAW",
		[PRIVDROP_NFLOG] = "CAP_NET_ADMIN",
		[PRIVDROP_CAPTURE | PRIVDROP_NFLOG] =
		    "CAP_NET_RAW and CAP_NET_ADMIN",
	};

	return names[keep];
}

#else /* Rights are the user's: /dev/bpf's group opens interfaces. */

static uint64_t
capabilities_of(unsigned int keep)
{
	(void)keep;
	return 0;
}

static int
limit_capabilities(uint64_t keep)
{
	(void)keep;
	return 0;
}

void
privdrop_raise(void)
{
}

static void
empty_sets(void)
{
}

static int
keep_over_change(bool on)
{
	(void)on;
	return 0;
}

static int
close_doors(void)
{
	return 0;
}

const char *
privdrop_names(unsigned int keep)
{
	(void)keep;
	return "none";
}

#endif

/* Descriptors ------------------------------------------------------------ */

void
privdrop_descriptors(size_t n)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == -1)
		return;
	if (limit.rlim_max == RLIM_INFINITY || limit.rlim_max > n)
		limit.rlim_max = n;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit); /* lowering is never refused */
}

/* The change ------------------------------------------------------------- */

static int
become(const struct privdrop *pd)
{
	if (setgroups(1, &pd->gid) == -1)
		return -1;
#if defined(__linux__) || defined(__FreeBSD__) || defined(__OpenBSD__)
	return setresgid(pd->gid, pd->gid, pd->gid) == -1
		   ? -1
		   : setresuid(pd->uid, pd->uid, pd->uid);
#else
	return setgid(pd->gid) == -1 ? -1 : setuid(pd->uid); /* all of them */
#endif
}

/* Whether the way back to root is shut. */
static bool
is_final(const struct privdrop *pd)
{
	return pd->uid == 0 || (setuid(0) == -1 && seteuid(0) == -1);
}

int
privdrop_now(
    const struct privdrop *pd, unsigned int keep, char *errbuf, size_t errlen)
{
	const struct rlimit none = { 0, 0 };
	uint64_t kept = capabilities_of(keep);

	/* A filter around us may refuse it; PR_SET_DUMPABLE does it, too. */
	(void)setrlimit(RLIMIT_CORE, &none);
	empty_sets();
	if (pd->change &&
	    (keep_over_change(kept != 0) == -1 || become(pd) == -1))
		return complain(errbuf, errlen,
		    "cannot become user %s: %s; it needs CAP_SETUID and "
		    "CAP_SETGID, or --user none to stay",
		    pd->name, strerror(errno));
	if (limit_capabilities(kept) == -1)
		return complain(errbuf, errlen,
		    "cannot give up capabilities: %s", strerror(errno));
	if (pd->change && (keep_over_change(false) == -1 || !is_final(pd)))
		return complain(
		    errbuf, errlen, "user %s could be root again", pd->name);
	if (close_doors() == -1)
		return complain(errbuf, errlen,
		    "cannot give up privileges for good: %s", strerror(errno));
	return 0;
}

void
privdrop_rest(void)
{
	(void)limit_capabilities(0); /* a smaller set is never refused */
}

/* SPDX-License-Identifier: ISC */
/*
 * sandbox_landlock.c - which files a thread may open, by Landlock.
 *
 * Raw system calls with own declarations: C libraries have none, and headers
 * of older systems lack some.  They are the kernel's stable interface, see
 * landlock(7).
 */
#include "sandbox_internal.h"

#ifdef __linux__

#include <sys/stat.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

#ifndef SYS_landlock_create_ruleset /* numbers are the same everywhere */
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif

#define ASK_VERSION 1U
#define PATH_BENEATH 1

/* Rights of Landlock's first version, and what later ones added. */
enum {
	EXECUTE = 1 << 0,
	WRITE_FILE = 1 << 1,
	READ_FILE = 1 << 2,
	READ_DIR = 1 << 3,
	REMOVE_FILE = 1 << 5,
	MAKE_REG = 1 << 8,
	FIRST = (1 << 13) - 1, /* all of version 1 */
	REFER = 1 << 13,       /* version 2 */
	TRUNCATE = 1 << 14,    /* version 3 */
	IOCTL_DEV = 1 << 15    /* version 5 */
};

struct ruleset_attr {
	uint64_t handled_access_fs;
};

struct path_beneath_attr {
	uint64_t allowed_access;
	int32_t parent_fd;
} __attribute__((packed));

/* Of these a file, not a directory, can have: */
#define FILE_RIGHTS (EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV)

static const uint64_t rights[SANDBOX_ACCESSES] = {
	[SANDBOX_READ] = READ_FILE | READ_DIR,
	[SANDBOX_WRITE] = READ_FILE | READ_DIR | WRITE_FILE | TRUNCATE |
			  MAKE_REG | REMOVE_FILE,
	[SANDBOX_REMOVE] = REMOVE_FILE,
};

static int ruleset[SANDBOX_ROLES] = { -1, -1, -1, -1 };
static uint64_t handled;

static long
version(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, ASK_VERSION);
}

const char *
sandbox_landlock_missing(void)
{
	if (version() >= 1)
		return NULL;
	return errno == EPERM || errno == EACCES ? "the kernel refuses it"
						 : "this kernel has none";
}

static uint64_t
rights_of_version(long v)
{
	return FIRST | (v >= 2 ? REFER : 0) | (v >= 3 ? TRUNCATE : 0) |
	       (v >= 5 ? IOCTL_DEV : 0);
}

int
sandbox_landlock_init(unsigned int needs)
{
	struct ruleset_attr attr;

	(void)needs;
	handled = attr.handled_access_fs = rights_of_version(version());
	for (int role = 0; role < SANDBOX_ROLES; role++) {
		if (role == SANDBOX_RESOLVING) /* has the exporting thread's */
			continue;
		ruleset[role] = (int)syscall(
		    SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
		if (ruleset[role] == -1)
			return -1;
	}
	return 0;
}

void
sandbox_landlock_allow(
    enum sandbox_role role, const char *path, enum sandbox_access access)
{
	struct path_beneath_attr rule = { rights[access] & handled, -1 };
	struct stat st;

	if (ruleset[role] == -1)
		return;
	rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd == -1)
		return;
	if (fstat(rule.parent_fd, &st) == 0 && !S_ISDIR(st.st_mode))
		rule.allowed_access &= FILE_RIGHTS;
	(void)syscall(
	    SYS_landlock_add_rule, ruleset[role], PATH_BENEATH, &rule, 0);
	close(rule.parent_fd);
}

int
sandbox_landlock_enter(enum sandbox_role role)
{
	if (ruleset[role] == -1)
		return 0;
	return (int)syscall(SYS_landlock_restrict_self, ruleset[role], 0);
}

#else

const char *
sandbox_landlock_missing(void)
{
	return "only Linux has it";
}

int
sandbox_landlock_init(unsigned int needs)
{
	(void)needs;
	return 0;
}

void
sandbox_landlock_allow(
    enum sandbox_role role, const char *path, enum sandbox_access access)
{
	(void)role;
	(void)path;
	(void)access;
}

int
sandbox_landlock_enter(enum sandbox_role role)
{
	(void)role;
	return 0;
}

#endif

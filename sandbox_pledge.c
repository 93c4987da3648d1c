/* SPDX-License-Identifier: ISC */
/*
 * sandbox_pledge.c - what the process may do on OpenBSD, by pledge(2) and
 * unveil(2).
 *
 * They are for a process, not for a thread, so the exporting thread applies
 * them when all others have started.  There is no promise with which an
 * interface can be opened again: a live run is kept to its files only.
 */
#include "sandbox_internal.h"

#ifdef __OpenBSD__

#include <unistd.h>

#define BPF "/dev/bpf"
#define PROMISES_REPLAY "stdio"
#define PROMISES_OUTPUT "stdio rpath wpath cpath inet unix dns"

static unsigned int needed;

const char *
sandbox_pledge_missing(void)
{
	return NULL;
}

int
sandbox_pledge_init(unsigned int needs)
{
	needed = needs;
	return 0;
}

int
sandbox_pledge_enter(enum sandbox_role role)
{
	if (role != SANDBOX_EXPORTING ||
	    (needed & SANDBOX_NEED_INTERFACES) != 0)
		return 0;
	return pledge(needed == 0 ? PROMISES_REPLAY : PROMISES_OUTPUT, NULL);
}

const char *
sandbox_unveil_missing(void)
{
	return NULL;
}

int
sandbox_unveil_init(unsigned int needs)
{
	return (needs & SANDBOX_NEED_INTERFACES) != 0 ? unveil(BPF, "rw") : 0;
}

void
sandbox_unveil_allow(
    enum sandbox_role role, const char *path, enum sandbox_access access)
{
	static const char *const permissions[SANDBOX_ACCESSES] = {
		[SANDBOX_READ] = "r",
		[SANDBOX_WRITE] = "rwc",
		[SANDBOX_REMOVE] = "c",
	};

	(void)role;
	(void)unveil(path, permissions[access]); /* it may not be there */
}

int
sandbox_unveil_enter(enum sandbox_role role)
{
	return role == SANDBOX_EXPORTING ? unveil(NULL, NULL) : 0;
}

#endif

/* SPDX-License-Identifier: ISC */
/*
 * sandbox_capsicum.c - no more opening on FreeBSD, by Capsicum.
 *
 * Capability mode is for a process, not for a thread, and leaves it what is
 * open already: neither a collector could be connected to again nor an
 * interface opened.  So it is for a replay to standard output, which is where
 * files of strangers are read; its files are open when the exporting thread
 * gets here.
 */
#include "sandbox_internal.h"

#ifdef __FreeBSD__

#include <sys/capsicum.h>

#include <unistd.h>

static unsigned int needed;

const char *
sandbox_capsicum_missing(void)
{
	return feature_present("security_capability_mode")
		   ? NULL
		   : "this kernel has none";
}

int
sandbox_capsicum_init(unsigned int needs)
{
	needed = needs;
	return 0;
}

int
sandbox_capsicum_enter(enum sandbox_role role)
{
	return role == SANDBOX_EXPORTING && needed == 0 ? cap_enter() : 0;
}

#endif

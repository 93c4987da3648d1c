/* SPDX-License-Identifier: ISC */
/*
 * sandbox.h - confine each thread to the system calls and files of its job.
 *
 * Two layers of Linux, each of which may be missing: seccomp (through
 * libseccomp, optional when built) and Landlock.  OpenBSD and FreeBSD confine
 * the process instead of a thread, by pledge and unveil, and by Capsicum.  A
 * call that a thread never makes is not failed in silence: it is logged by name
 * and the program leaves with 1.  Elsewhere, and in builds for a sanitizer, all
 * of this does nothing.
 */
#ifndef SANDBOX_H
#define SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* What a thread does. */
enum sandbox_role {
	SANDBOX_EXPORTING,
	SANDBOX_LIVE,      /* meters interfaces, and opens them again */
	SANDBOX_REPLAY,    /* meters files that are open already */
	SANDBOX_RESOLVING, /* looks one name up; started by the exporting one */
	SANDBOX_ROLES
};

/* What may be done with a file, or what is in a directory and below. */
enum sandbox_access {
	SANDBOX_READ,
	SANDBOX_WRITE, /* also make, rename and remove */
	SANDBOX_REMOVE,
	SANDBOX_ACCESSES
};

/* What the process needs when it runs, for systems that confine it whole. */
enum {
	SANDBOX_NEED_INTERFACES = 1, /* to open them again */
	SANDBOX_NEED_NETWORK = 2,    /* to connect, and look names up */
	SANDBOX_NEED_FILES = 4       /* to make and remove */
};

/*
 * Make ready what sandbox_enter() applies, of SANDBOX_NEED_ bits.  Call it
 * once, while there is one thread; without it sandbox_enter() does nothing.  A
 * layer that there is not is left out, with a warning if the system refuses
 * what it should have.
 */
void sandbox_init(unsigned int needs);

/* Let a role have a path; one that is not there is left out. */
void sandbox_allow(enum sandbox_role, const char *path, enum sandbox_access);

/* The same for the directory that path is in. */
void sandbox_allow_beside(
    enum sandbox_role, const char *path, enum sandbox_access);

/*
 * Confine the calling thread, for good, and all threads that it starts.
 * Needs no_new_privs (privdrop.h).  Allocates nothing.
 */
void sandbox_enter(enum sandbox_role);

/* Write a line a layer: whether it is on here, or why not. */
void sandbox_describe(FILE *);

#endif

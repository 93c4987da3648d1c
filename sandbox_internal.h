/* SPDX-License-Identifier: ISC */
/*
 * sandbox_internal.h - the two layers behind sandbox.h; for sandbox*.c only.
 */
#ifndef SANDBOX_INTERNAL_H
#define SANDBOX_INTERNAL_H

#include "sandbox.h"

/* Why there is no such layer here; NULL = there is. */
const char *sandbox_seccomp_missing(void);
const char *sandbox_landlock_missing(void);

/* Build what enter applies.  0, or -1 with errno. */
int sandbox_seccomp_init(void);
int sandbox_landlock_init(void);

void sandbox_landlock_allow(
    enum sandbox_role, const char *path, enum sandbox_access);

/* Confine the calling thread.  0, or -1 with errno. */
int sandbox_seccomp_enter(enum sandbox_role);
int sandbox_landlock_enter(enum sandbox_role);

/* The name of a system call, "?" if not known; async-signal-safe. */
const char *sandbox_seccomp_name(long number);

#endif

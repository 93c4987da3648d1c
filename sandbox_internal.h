/* SPDX-License-Identifier: ISC */
/*
 * sandbox_internal.h - the layers behind sandbox.h; for sandbox*.c only.
 */
#ifndef SANDBOX_INTERNAL_H
#define SANDBOX_INTERNAL_H

#include "sandbox.h"

/* Why there is no such layer here; NULL = there is. */
const char *sandbox_seccomp_missing(void);
const char *sandbox_landlock_missing(void);
const char *sandbox_pledge_missing(void);
const char *sandbox_unveil_missing(void);
const char *sandbox_capsicum_missing(void);

/* Build what enter applies, of SANDBOX_NEED_ bits.  0, or -1 with errno. */
int sandbox_seccomp_init(unsigned int needs);
int sandbox_landlock_init(unsigned int needs);
int sandbox_pledge_init(unsigned int needs);
int sandbox_unveil_init(unsigned int needs);
int sandbox_capsicum_init(unsigned int needs);

void sandbox_landlock_allow(
    enum sandbox_role, const char *path, enum sandbox_access);
void sandbox_unveil_allow(
    enum sandbox_role, const char *path, enum sandbox_access);

/* Confine the calling thread, or the process.  0, or -1 with errno. */
int sandbox_seccomp_enter(enum sandbox_role);
int sandbox_landlock_enter(enum sandbox_role);
int sandbox_pledge_enter(enum sandbox_role);
int sandbox_unveil_enter(enum sandbox_role);
int sandbox_capsicum_enter(enum sandbox_role);

/* The name of a system call, "?" if not known; async-signal-safe. */
const char *sandbox_seccomp_name(long number);

#endif

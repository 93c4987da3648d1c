/* SPDX-License-Identifier: ISC */
/*
 * calls.h - the calls by which OpenBSD and FreeBSD confine a process, for a
 * build elsewhere: each prints how it was called (tests/elsewhere/confine.c).
 */
#ifndef CALLS_H
#define CALLS_H

int pledge(const char *promises, const char *execpromises);
int unveil(const char *path, const char *permissions);
int cap_enter(void);
int feature_present(const char *feature);

#endif

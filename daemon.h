/* SPDX-License-Identifier: ISC */
/*
 * daemon.h - leave the terminal, and say who we are in a pidfile.
 */
#ifndef DAEMON_H
#define DAEMON_H

/*
 * Go on in a child in the background; the parent waits for daemon_ready() and
 * leaves with 0, or leaves with the child's exit status if the child ends
 * before.  Call it while there is one thread.  Returns 0 in the child (or -1
 * with errno).
 */
int daemon_start(void);

/* Let go of the terminal, and the parent leave; nothing if not started. */
void daemon_ready(void);

/*
 * Write our process id to path and keep the file locked.  A stale
 * file is taken over, a running holder refused, a link not followed.  Returns
 * 0, or -1 with errno: EEXIST, with *other set, if another process holds it.
 */
int daemon_write_pidfile(const char *path, long *other);

/* Remove the pidfile, if one was written. */
void daemon_remove_pidfile(void);

#endif

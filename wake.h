/* SPDX-License-Identifier: ISC */
/*
 * wake.h - one thread wakes another that sleeps in poll(2).
 *
 * A non-blocking pipe.  Any number of rings before the sleeper wakes count as
 * one.  Safe in a signal handler and between threads.
 */
#ifndef WAKE_H
#define WAKE_H

struct wake {
	int fd[2]; /* read end, write end */
};

/* Returns 0, or -1 with errno. */
int wake_init(struct wake *);

void wake_close(struct wake *);

/* The descriptor to poll for POLLIN. */
int wake_fd(const struct wake *);

/* Wake the sleeper; never blocks, keeps errno. */
void wake_ring(const struct wake *);

/* Forget all rings so far; the sleeper calls it before it looks for work. */
void wake_clear(const struct wake *);

#endif

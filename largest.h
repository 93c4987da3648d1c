/* SPDX-License-Identifier: ISC */
/*
 * largest.h - the largest of all active flows, in bounded memory: what
 * `softprobectl top` makes its pictures from.
 */
#ifndef LARGEST_H
#define LARGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct flow_record; /* record.h */
struct largest;

#define LARGEST_MAX 4096 /* flows kept, at most */

/* Keep up to n (1 to LARGEST_MAX) by octets or packets; NULL with ENOMEM. */
struct largest *largest_new(size_t n, bool by_packets);

/* NULL is fine. */
void largest_free(struct largest *);

/* Look at a flow; it is counted, and kept while it is among the largest. */
void largest_add(struct largest *, const struct flow_record *);

/*
 * Write a line of six numbers: flows looked at, their octets and packets, how
 * many of them follow, what the least of those has (0 if all follow), and the
 * capture time of the newest packet in ns.  Then a line a flow: protocol,
 * source and its port, destination and its port, octets and packets of either
 * direction, and in ns when its record began.
 */
void largest_write(const struct largest *, FILE *);

#endif

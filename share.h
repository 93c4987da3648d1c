/* SPDX-License-Identifier: ISC */
/*
 * share.h - which of several collectors a conversation belongs to (--balance).
 *
 * Pure: the same conversation and number of collectors give the same one, in
 * each run, on each machine, whichever direction spoke first.
 */
#ifndef SHARE_H
#define SHARE_H

#include <stddef.h>

struct flow_record; /* record.h */

/* The index, below n > 0, of the collector that gets this conversation. */
size_t share_index(const struct flow_record *, size_t n);

#endif

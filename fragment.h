/* SPDX-License-Identifier: ISC */
/*
 * fragment.h - which flow the later fragments of a datagram belong to.
 *
 * A bounded table remembers the ports of first fragments by addresses,
 * protocol and identification.  It takes all memory in fragment_new, reads no
 * clock, and when it is full forgets the first fragment seen longest ago.
 */
#ifndef FRAGMENT_H
#define FRAGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct packet; /* decode.h */
struct fragment_table;

/* A first fragment is remembered for this long (RFC 8200 s4.5: 60 s). */
#define FRAGMENT_LIFETIME_MS 60000U

/* Octets that fragment_new takes for so many. */
size_t fragment_memory(uint32_t entries);

/* Create a table of `entries` first fragments (> 0); NULL with ENOMEM. */
struct fragment_table *fragment_new(uint32_t entries);

/* Free the table; NULL is fine. */
void fragment_free(struct fragment_table *);

/*
 * Look at one packet (fragment != FRAGMENT_NONE).  A first fragment is
 * remembered, in the entry of its like if there is one; a later one is given
 * the ports of its first, and the protocol, which an IPv6 fragment behind
 * another extension header does not know.  Returns false for a later fragment
 * whose first is not known: its ports stay 0.
 */
bool fragment_join(struct fragment_table *, struct packet *);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * nat.h - the connections that this box translates, and which Flow Records
 * are of them.
 *
 * A translated connection is seen twice: by its original addresses where its
 * originator's packets enter the box, and by translated ones where they leave
 * it.  Here both are one conversation, that of the original addresses.  The
 * table is told of connections (by conntrack.c) and asked for records, both in
 * the exporting thread; it reads no clock and does no I/O.
 */
#ifndef NAT_H
#define NAT_H

#include <stdbool.h>
#include <stdint.h>

#include "record.h"

#define NAT_CONNECTIONS_MAX UINT32_C(16777216)

struct nat;

/*
 * A connection as connection tracking knows it.  Addresses are in network
 * order, IPv4 in the first 4 octets; ports in host order, of ICMP the
 * identifier, 0 where a protocol has none.
 */
struct nat_connection {
	struct nat_end {
		uint8_t src[16], dst[16];
		uint16_t src_port, dst_port;
	} original,     /* the originator's packets as they enter the box ... */
	    translated; /* ... and as they leave it */
	uint8_t protocol;
	uint8_t ip_version; /* 4 or 6 */
};

struct nat_stats {
	uint32_t connections; /* kept now, also those that ended */
	uint32_t connections_max;
	uint64_t begun;   /* translated ones */
	uint64_t evicted; /* ... that made room while they lasted */
};

/*
 * Whether packets of `origin` are captured where they enter the box.  Not so
 * if the box itself is the origin: they are seen first when they leave it.
 */
typedef bool nat_captured_fn(
    const uint8_t origin[16], uint8_t ip_version, void *arg);

/* Octets that nat_new takes for so many. */
size_t nat_memory(uint32_t connections_max);

/*
 * Create a table for 1 to NAT_CONNECTIONS_MAX connections; memory is touched
 * as it is used.  NULL with ENOMEM.
 */
struct nat *nat_new(uint32_t connections_max);
void nat_free(struct nat *);

/* Whether a connection is translated at all. */
bool nat_translates(const struct nat_connection *);

/*
 * Note that a connection began at now_ns (ns since 1970 UTC), or at a time
 * not known, 0.  In a full table it takes the place of the one that ended
 * first or, if all last, was used least lately.  One that is not translated
 * ends what the table knows by its addresses.
 */
void nat_begin(struct nat *, const struct nat_connection *, uint64_t now_ns);

/* Note that it lasts: it begins, unless it is known. */
void nat_last(struct nat *, const struct nat_connection *, uint64_t now_ns);

/* Note that it ended; one that is not known is fine. */
void nat_end(struct nat *, const struct nat_connection *, uint64_t mono_ns);

/*
 * Forget those that ended keep_ns ago, by a clock that never runs backwards;
 * a bounded number of them.  Until then records that come late find them.
 */
void nat_forget(struct nat *, uint64_t mono_ns, uint64_t keep_ns);

/*
 * Join a record with its connection, if it is of a translated one.  Returns
 * true if it is to be left out: the same packets are in the record of the
 * original addresses, since captured() says so.  Else the record has the
 * original addresses now, whichever it had, and r->nat, which is valid until
 * the next call.
 */
bool nat_join(
    struct nat *, struct flow_record *, nat_captured_fn *captured, void *arg);

void nat_stats(const struct nat *, struct nat_stats *);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * own.h - which flows are of this program's own sockets.
 *
 * A session to a collector is known by its two socket addresses, and so is its
 * flow: nobody else's is ever taken for it.  A session that ended is
 * remembered for a while, since the records of its flow end later.
 */
#ifndef OWN_H
#define OWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct flow_record; /* record.h */
struct own;

/* Two socket addresses; in network order, IPv4 in the first 4 octets. */
struct own_session {
	uint8_t local[16], remote[16];
	uint16_t local_port, remote_port; /* host byte order */
	uint8_t protocol;                 /* 0 = no session */
	uint8_t ip_version;
};

/*
 * Create for so many sockets, and remember what they were for keep_ns.
 * NULL with ENOMEM.
 */
struct own *own_new(size_t sockets, uint64_t keep_ns);

/* NULL is fine. */
void own_free(struct own *);

/*
 * There are so many sockets now; those beyond have ended.  Sessions are
 * remembered for keep_ns from now on.  0, or -1 with ENOMEM and nothing is
 * changed.
 */
int own_change(
    struct own *, size_t sockets, uint64_t keep_ns, uint64_t mono_ns);

/* Tell what socket i is now, if there are as many; `mono_ns` never runs
 * backwards. */
void own_note(
    struct own *, size_t i, const struct own_session *, uint64_t mono_ns);

/*
 * Whether a record, with ports in its Flow Key, is of one of the sessions, in
 * either direction.
 */
bool own_is(const struct own *, const struct flow_record *, uint64_t mono_ns);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * sight.h - where the packets of one direction of a flow were seen, on a box
 * several of whose interfaces are watched, and which sighting counts.
 *
 * A packet that is forwarded is seen as it comes in and as it leaves, and at
 * each of the interfaces that stand one above the other: the port of a bridge
 * and the bridge, a device and a VLAN of it.  Packets are counted where they
 * come in; if that is not watched, where they leave; and at the highest of
 * several interfaces.  This is decided for each direction of each flow by what
 * is seen, not by what should be, so it needs neither routes nor the order of
 * the sightings.
 *
 * Pure: time is passed in.  No cost but to a cache that asks for it.
 */
#ifndef SIGHT_H
#define SIGHT_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "decode.h"
#include "record.h"

/*
 * The sightings of one packet are at most so far apart, since interfaces are
 * read one after the other.
 */
#define SIGHT_SKEW_MS 2000U

/* Zeroed, it is that of a direction that no packet was seen of. */
struct sight {
	uint32_t in, out; /* ifIndex, the highest of each; 0 = not seen */
	uint32_t other;   /* the same, where the direction was not known */
	uint32_t in_port, out_port; /* the lowest of each */
	uint32_t born_ms;           /* of the first sighting, modulo 2^32 */
	uint16_t counted;           /* while it was young */
	uint16_t debt; /* of these, yet to be seen at the rank of now */
	uint8_t rank;  /* the highest so far; 0 = none */
	uint8_t in_depth : 4, in_port_depth : 4;
	uint8_t out_depth : 4, out_port_depth : 4;
};

/* Both directions of a flow, in one cache line. */
struct sights {
	struct sight half[2];
};

static_assert(sizeof(struct sights) == 64, "the sights of a flow are a line");

/* Coming in stands above unknown, and that above leaving; then depth. */
static inline uint8_t
sight_rank(const struct packet *p)
{
	static const uint8_t order[] = {
		[DIRECTION_OUT] = 0x10,
		[DIRECTION_UNKNOWN] = 0x20,
		[DIRECTION_IN] = 0x30,
	};

	return order[p->direction] | p->depth;
}

/* Note the interface of a packet. */
static inline void
sight_note(struct sight *s, const struct packet *p)
{
	switch (p->direction) {
	case DIRECTION_IN:
		if (s->in == 0 || p->depth >= s->in_depth) {
			s->in = p->ifindex;
			s->in_depth = p->depth;
		}
		if (s->in_port == 0 || p->depth <= s->in_port_depth) {
			s->in_port = p->ifindex;
			s->in_port_depth = p->depth;
		}
		if (p->egress != 0)
			s->out = s->out_port = p->egress;
		break;
	case DIRECTION_OUT:
		if (s->out == 0 || p->depth >= s->out_depth) {
			s->out = p->ifindex;
			s->out_depth = p->depth;
		}
		if (s->out_port == 0 || p->depth <= s->out_port_depth) {
			s->out_port = p->ifindex;
			s->out_port_depth = p->depth;
		}
		break;
	default:
		s->other = p->ifindex;
	}
}

/*
 * See a packet, now_ms being the time modulo 2^32 ms.  Returns whether it
 * counts: else it was, or will be, counted at another sighting.
 *
 * When a higher rank is met, what was counted so far was seen too early, and
 * is going to be seen again at that rank.  Of a direction that is not young
 * any more it is not: then the path has changed.
 */
static inline bool
sight_counts(struct sight *s, const struct packet *p, uint32_t now_ms)
{
	uint8_t rank = sight_rank(p);
	bool young;

	sight_note(s, p);
	if (s->rank == 0)
		s->born_ms = now_ms;
	young = now_ms - s->born_ms <= SIGHT_SKEW_MS;
	if (rank < s->rank)
		return false;
	if (rank > s->rank)
		s->debt = young ? s->counted : 0;
	s->rank = rank;
	if (s->debt > 0 && now_ms - s->born_ms <= 2 * SIGHT_SKEW_MS) {
		s->debt--;
		return false;
	}
	if (young && s->counted < UINT16_MAX)
		s->counted++;
	return true;
}

/* Tell a half of a record which way its packets passed the box. */
static inline void
sight_fill(const struct sight *s, struct flow_half *h)
{
	static const uint8_t direction[] = { 0, DIRECTION_OUT,
		DIRECTION_UNKNOWN, DIRECTION_IN };

	h->direction = direction[s->rank >> 4];
	h->ingress = s->in;
	h->egress = s->out;
	if (s->in == 0)
		h->ingress = s->other;
	else if (s->out == 0)
		h->egress = s->other;
}

#endif

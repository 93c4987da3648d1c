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

/* Times are kept so coarse, in 16 bits. */
#define SIGHT_TICK_MS 8U

/* Zeroed, it is that of a direction that no packet was seen of. */
struct sight {
	uint32_t in, out;  /* ifIndex, the highest of each; 0 = not seen */
	uint16_t born;     /* when a packet was first seen, in ticks */
	uint16_t counted;  /* while it was young */
	uint16_t debt;     /* of these, yet to be seen at the rank of now */
	uint8_t rank : 7;  /* the highest so far; 0 = none */
	uint8_t grown : 1; /* not young any more */
	/* Where `in` or `out` stands, and whether its direction is a guess. */
	uint8_t in_depth : 3, in_guess : 1;
	uint8_t out_depth : 3, out_guess : 1;
};

/* Both directions of a flow. */
struct sights {
	struct sight half[2];
};

static_assert(sizeof(struct sights) == 32, "two flows share a cache line");

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

/* Come in by an interface; what was taken for that may be the other end. */
static inline void
sight_in(struct sight *s, uint32_t ifindex, unsigned depth)
{
	if (s->in_guess && s->in != ifindex && s->out == 0 &&
	    s->in_depth >= depth) {
		s->out = s->in;
		s->out_depth = s->in_depth;
		s->out_guess = 1;
	}
	if (s->in != 0 && !s->in_guess && depth < s->in_depth)
		return;
	s->in = ifindex;
	s->in_depth = depth & 7U;
	s->in_guess = 0;
}

/* Leave by an interface; one below it, by which it came, is none. */
static inline void
sight_out(struct sight *s, uint32_t ifindex, unsigned depth)
{
	if (s->in_guess && s->in_depth < depth)
		s->in = s->in_guess = 0;
	if (s->out != 0 && !s->out_guess && depth < s->out_depth)
		return;
	s->out = ifindex;
	s->out_depth = depth & 7U;
	s->out_guess = 0;
}

/*
 * Pass an interface, which way is not known: it is the end that is missing,
 * unless it may stand below the one that is not.
 */
static inline void
sight_pass(struct sight *s, uint32_t ifindex, unsigned depth)
{
	bool in = s->in != 0 && !s->in_guess;
	bool out = s->out != 0 && !s->out_guess;

	if (in && !out && depth >= s->in_depth) {
		s->out = ifindex;
		s->out_depth = depth & 7U;
		s->out_guess = 1;
	} else if (!in && (!out || depth >= s->out_depth)) {
		s->in = ifindex;
		s->in_depth = depth & 7U;
		s->in_guess = 1;
	}
}

/* Note the interface of a packet, or both. */
static inline void
sight_note(struct sight *s, const struct packet *p)
{
	if (p->direction == DIRECTION_IN)
		sight_in(s, p->ifindex, p->depth);
	else if (p->direction == DIRECTION_OUT)
		sight_out(s, p->ifindex, p->depth);
	else
		sight_pass(s, p->ifindex, p->depth);
	if (p->egress != 0 && p->direction == DIRECTION_IN)
		sight_out(s, p->egress, p->depth);
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
	uint16_t now = (uint16_t)(now_ms / SIGHT_TICK_MS), age;

	sight_note(s, p);
	if (s->rank == 0)
		s->born = now;
	age = (uint16_t)(now - s->born);
	if (age > SIGHT_SKEW_MS / SIGHT_TICK_MS)
		s->grown = 1;
	if (age > 2 * SIGHT_SKEW_MS / SIGHT_TICK_MS)
		s->debt = 0;
	if (rank < s->rank)
		return false;
	if (rank > s->rank)
		s->debt = s->grown ? 0 : s->counted;
	s->rank = rank & 0x7fU;
	if (s->debt > 0) {
		s->debt--;
		return false;
	}
	if (!s->grown && s->counted < UINT16_MAX)
		s->counted++;
	return true;
}

/*
 * Whether all packets of this direction will count where p, the last one, did:
 * no higher rank can be met, or it is too late for one to be another sighting.
 */
static inline bool
sight_is_settled(const struct sight *s, const struct packet *p)
{
	return s->debt == 0 && s->rank == sight_rank(p) &&
	       (s->grown || (p->direction == DIRECTION_IN && !p->covered));
}

/* Tell a half of a record which way its packets passed the box. */
static inline void
sight_fill(const struct sight *s, struct flow_half *h)
{
	static const uint8_t direction[] = { 0, DIRECTION_OUT,
		DIRECTION_UNKNOWN, DIRECTION_IN };

	h->ingress = s->in;
	h->egress = s->out;
	h->direction = direction[s->rank >> 4];
	/* Of a port below, it is not known; of the interface it is. */
	if (s->in == 0 && s->out != 0)
		h->direction = DIRECTION_OUT;
}

#endif

/* SPDX-License-Identifier: ISC */
/*
 * sampler.h - which packets are metered: a Selector of RFC 5475.
 *
 * Pure but for its own state: the same seed and packets give the same choice.
 * With an interval of 1 it chooses all and costs nothing.
 */
#ifndef SAMPLER_H
#define SAMPLER_H

#include <stddef.h>
#include <stdint.h>

#include "record.h" /* struct sampling */

struct packet;       /* decode.h */
struct packet_extra; /* extra.h */

struct sampler {
	struct sampling sampling;
	uint64_t threshold; /* of 32 bits; what is below it is chosen */
	uint64_t state;     /* of the generator */
	uint32_t skip;      /* packets before the next one, systematic */
	uint32_t crc[256];
};

/* Begin; the seed only matters to SAMPLING_RANDOM. */
void sampler_init(struct sampler *, const struct sampling *, uint64_t seed);

/*
 * Choose among n packets, in the order given: those chosen are moved to the
 * front, with their extra unless it is NULL.  Returns how many they are.
 */
size_t sampler_choose(
    struct sampler *, struct packet *, struct packet_extra *, size_t n);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * sampler.c - which packets are metered; see sampler.h.
 *
 * Knows packets, not flows: no choice depends on what was chosen before, but
 * for the count of systematic sampling.  Counts nothing.
 */
#include <stdbool.h>

#include "decode.h"
#include "extra.h"
#include "sampler.h"

#define DRAWS (UINT64_C(1) << 32) /* how many values a draw may have */
#define CRC_POLYNOMIAL 0xedb88320U

/* CRC-32 of IEEE 802.3, octet by octet, least significant bit first. */
static void
crc_init(uint32_t table[256])
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t crc = i;

		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? CRC_POLYNOMIAL : 0);
		table[i] = crc;
	}
}

void
sampler_init(struct sampler *s, const struct sampling *sampling, uint64_t seed)
{
	*s = (struct sampler){
		.sampling = *sampling,
		.threshold =
		    DRAWS / (sampling->interval > 1 ? sampling->interval : 1),
		.state = seed,
	};
	if (sampling->mode == SAMPLING_HASH)
		crc_init(s->crc);
}

/* Draw 32 bits: an additive counter, scrambled by two multiplications. */
static inline uint32_t
draw(struct sampler *s)
{
	uint64_t x = s->state += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 32) * UINT64_C(0xd6e8feb86659fd93);
	x = (x ^ x >> 32) * UINT64_C(0xd6e8feb86659fd93);
	return (uint32_t)(x >> 32);
}

static inline uint32_t
crc_octets(const uint32_t table[256], uint32_t crc, const uint8_t *at, size_t n)
{
	for (size_t i = 0; i < n; i++)
		crc = crc >> 8 ^ table[(crc ^ at[i]) & 0xff];
	return crc;
}

/* An integer, in network byte order. */
static inline uint32_t
crc_uint(const uint32_t table[256], uint32_t crc, uint32_t v, int octets)
{
	while (octets-- > 0)
		crc = crc >> 8 ^ table[(crc ^ v >> 8 * octets) & 0xff];
	return crc;
}

/*
 * Hash what a packet keeps from hop to hop (RFC 5475 s6.2.1), so that all
 * probes on its way choose alike: addresses, ports, protocol, length, and
 * what tells it from others of its flow.
 */
static uint32_t
hash_packet(const uint32_t table[256], const struct packet *p)
{
	size_t address_len = p->ip_version == 4 ? 4 : 16;
	uint32_t crc = UINT32_MAX;

	crc = crc_octets(table, crc, p->src, address_len);
	crc = crc_octets(table, crc, p->dst, address_len);
	crc = crc_uint(table, crc, p->src_port, 2);
	crc = crc_uint(table, crc, p->dst_port, 2);
	crc = crc_uint(table, crc, p->protocol, 1);
	crc = crc_uint(table, crc, p->octets, 4);
	return ~crc_uint(table, crc, p->content, 4);
}

/* Whether a packet is chosen; the first of all is, when systematic. */
static inline bool
choose(struct sampler *s, const struct packet *p)
{
	switch (s->sampling.mode) {
	case SAMPLING_RANDOM:
		return draw(s) < s->threshold;
	case SAMPLING_HASH:
		return hash_packet(s->crc, p) < s->threshold;
	default:
		if (s->skip-- > 0)
			return false;
		s->skip = s->sampling.interval - 1;
		return true;
	}
}

size_t
sampler_choose(
    struct sampler *s, struct packet *p, struct packet_extra *extra, size_t n)
{
	size_t chosen = 0;

	if (s->sampling.interval <= 1)
		return n;
	for (size_t i = 0; i < n; i++) {
		if (!choose(s, &p[i]))
			continue;
		if (chosen != i)
			p[chosen] = p[i];
		if (chosen != i && extra != NULL)
			extra[chosen] = extra[i];
		chosen++;
	}
	return chosen;
}

/* SPDX-License-Identifier: ISC */
/*
 * share.c - which collector a conversation belongs to; see share.h.
 *
 * Not keyed, since it shall be the same in each run: who chooses addresses
 * can choose the collector, too, and gains nothing.
 */
#include <stdint.h>

#include "flowkey.h" /* protocol_is_icmp */
#include "record.h"
#include "share.h"

#define FNV_BASIS UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)

/* FNV-1a */
static uint64_t
hash_octets(uint64_t hash, const uint8_t *octet, size_t n)
{
	while (n-- > 0)
		hash = (hash ^ *octet++) * FNV_PRIME;
	return hash;
}

static uint64_t
hash_endpoint(const uint8_t *address, size_t len, unsigned port)
{
	const uint8_t octets[2] = { (uint8_t)(port >> 8), (uint8_t)port };

	return hash_octets(
	    hash_octets(FNV_BASIS, address, len), octets, sizeof(octets));
}

size_t
share_index(const struct flow_record *r, size_t n)
{
	size_t len = r->ip_version == 4 ? 4 : 16;
	/* Type and code of ICMP differ between the directions. */
	bool ports = !protocol_is_icmp(r->protocol);
	/* A sum, since the directions differ in which one comes first. */
	uint64_t hash = hash_endpoint(r->src, len, ports ? r->src_port : 0U) +
			hash_endpoint(r->dst, len, ports ? r->dst_port : 0U) +
			r->protocol;

	/* The high bits of FNV know little of the last octets. */
	hash = (hash ^ hash >> 33) * UINT64_C(0xff51afd7ed558ccd);
	return (size_t)((hash >> 32) * n >> 32);
}

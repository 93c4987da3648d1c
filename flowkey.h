/* SPDX-License-Identifier: ISC */
/*
 * flowkey.h - the Flow Key of a packet: one form for both directions of a
 * conversation, and its keyed hash.
 */
#ifndef FLOWKEY_H
#define FLOWKEY_H

#include <stdbool.h>
#include <stdint.h>

#include "flowtrack.h" /* enum flow_key_level */

struct packet; /* decode.h */

/*
 * Endpoints 0 and 1 are the lower and the higher one; fields that the level
 * leaves out are 0.  There is no padding: keys compare with memcmp.
 */
struct flow_key {
	uint8_t addr[2][16];
	uint16_t port[2]; /* ICMP: 0 and type * 256 + code, in this order */
	uint16_t mark; /* KEY_TOS: class of service; from KEY_VLAN on: VLAN */
	uint8_t protocol;
	uint8_t ip_version;
};

/* MAC addresses of the endpoints, for KEY_ETHER only. */
struct flow_ether {
	uint8_t mac[2][6];
};

/* The secret of one cache's hash. */
struct flow_hash_seed {
	uint64_t word[6];
};

/* Draw a seed at random. */
void flow_hash_seed(struct flow_hash_seed *);

/*
 * Fill *key (and *ether at KEY_ETHER) from a packet.  Returns whether the
 * packet's source is endpoint 1.
 */
bool flow_key_make(struct flow_key *, struct flow_ether *ether,
    enum flow_key_level, const struct packet *);

/*
 * Hash a key to 64 bits.
 *
 * Each fold multiplies two words, both masked by secret ones, to 128 bits and
 * adds its halves.  Who does not know the mask cannot tell which keys
 * collide, and the cache gives him no way to measure it: a bucket with many
 * keys is still a balanced tree, log2(n) steps high.  So a weaker and ten
 * times faster function than SipHash is safe enough here.
 */
uint64_t flow_hash(const struct flow_hash_seed *, const struct flow_key *,
    const struct flow_ether *ether);

/* Whether a protocol number is ICMP or ICMPv6. */
static inline bool
protocol_is_icmp(uint8_t protocol)
{
	return protocol == 1 || protocol == 58;
}

#endif

/* SPDX-License-Identifier: ISC */
/*
 * flowkey.h - the Flow Key of a packet: one form for both directions of a
 * conversation, and its keyed hash.
 *
 * A key is made for each packet, so all of it is inline, and decides without
 * branches what differs from packet to packet: which of the two endpoints
 * sent, and whether the protocol has ports.
 */
#ifndef FLOWKEY_H
#define FLOWKEY_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "decode.h"
#include "flowtrack.h" /* enum flow_key_level */

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

/* Whether a protocol number is ICMP or ICMPv6. */
static inline bool
protocol_is_icmp(uint8_t protocol)
{
	return (protocol == 1) | (protocol == 58);
}

static inline uint64_t
flow_word(const void *at)
{
	uint64_t w;

	memcpy(&w, at, sizeof(w));
	return w;
}

/* Whether two keys are the same; memcmp would ask word by word. */
static inline bool
flow_key_equal(const struct flow_key *a, const struct flow_key *b)
{
	return ((flow_word(a->addr[0]) ^ flow_word(b->addr[0])) |
		   (flow_word(a->addr[0] + 8) ^ flow_word(b->addr[0] + 8)) |
		   (flow_word(a->addr[1]) ^ flow_word(b->addr[1])) |
		   (flow_word(a->addr[1] + 8) ^ flow_word(b->addr[1] + 8)) |
		   (flow_word(a->port) ^ flow_word(b->port))) == 0;
}

/*
 * Whether the packet runs from the higher endpoint to the lower one.  Some
 * order of addresses: the same for one cache, and not that of the octets on
 * every machine.  Equal ones leave it to the ports.
 */
static inline bool
flow_runs_down(const struct packet *p, enum flow_key_level level)
{
	uint64_t a = flow_word(p->src), b = flow_word(p->dst);

	if (a == b) { /* always 0 in the rest of IPv4 */
		a = flow_word(p->src + 8);
		b = flow_word(p->dst + 8);
	}
	if (a == b && level >= KEY_FULL && !protocol_is_icmp(p->protocol)) {
		a = p->src_port;
		b = p->dst_port;
	}
	return a > b;
}

/*
 * Fill *key (and *ether at KEY_ETHER) from a packet.  Returns whether the
 * packet's source is endpoint 1.
 */
static inline bool
flow_key_make(struct flow_key *key, struct flow_ether *ether,
    enum flow_key_level level, const struct packet *p)
{
	bool down = flow_runs_down(p, level);
	bool turn = down & !protocol_is_icmp(p->protocol);

	/* cppcheck-suppress uninitvar ; written, not read */
	memcpy(key->addr[down], p->src, 16);
	memcpy(key->addr[!down], p->dst, 16);
	key->port[turn] = p->src_port;
	key->port[!turn] = p->dst_port;
	if (level < KEY_FULL)
		key->port[0] = key->port[1] = 0;
	key->mark = level >= KEY_VLAN ? p->vlan : 0;
	if (level == KEY_TOS)
		key->mark = p->tos;
	key->protocol = level >= KEY_PROTO ? p->protocol : 0;
	key->ip_version = p->ip_version;
	if (level == KEY_ETHER) {
		memcpy(ether->mac[down], p->src_mac, 6);
		memcpy(ether->mac[!down], p->dst_mac, 6);
	}
	return down;
}

/* The two halves of the 128-bit product, added without carry. */
static inline uint64_t
flow_fold(uint64_t a, uint64_t b)
{
#ifdef __SIZEOF_INT128__
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
#else
	uint64_t al = (uint32_t)a, ah = a >> 32, bl = (uint32_t)b, bh = b >> 32;
	uint64_t low = al * bl, mid = ah * bl + (low >> 32);
	uint64_t mid2 = al * bh + (uint32_t)mid;

	return (mid2 << 32 | (uint32_t)low) ^
	       (ah * bh + (mid >> 32) + (mid2 >> 32));
#endif
}

/*
 * Hash a key to 64 bits; ether is NULL but at KEY_ETHER.
 *
 * Each fold multiplies two words, both masked by secret ones, to 128 bits and
 * adds its halves.  Who does not know the mask cannot tell which keys
 * collide, and the cache gives him no way to measure it: a bucket with many
 * keys is still a balanced tree, log2(n) steps high.  So a weaker and ten
 * times faster function than SipHash is safe enough here.
 */
static inline uint64_t
flow_hash(const struct flow_hash_seed *seed, const struct flow_key *key,
    const struct flow_ether *ether)
{
	const uint64_t *s = seed->word;
	/* ports, mark, protocol, version */
	uint64_t rest = flow_word(key->port), h;

	if (key->ip_version == 4) {
		uint32_t a, b;

		memcpy(&a, key->addr[0], 4);
		memcpy(&b, key->addr[1], 4);
		h = flow_fold(((uint64_t)a << 32 | b) ^ s[0], rest ^ s[1]);
	} else {
		h = flow_fold(flow_word(key->addr[0]) ^ s[0],
		    flow_word(key->addr[0] + 8) ^ s[1]);
		h ^= flow_fold(flow_word(key->addr[1]) ^ s[2],
		    flow_word(key->addr[1] + 8) ^ s[3]);
		h = flow_fold(h ^ s[4], rest ^ s[5]);
	}
	if (ether != NULL)
		h = flow_fold(h ^ flow_word(ether->mac[0]),
		    flow_word(&ether->mac[0][4]) ^ s[4]);
	return flow_fold(h ^ s[2], s[3]);
}

#endif

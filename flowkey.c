/* SPDX-License-Identifier: ISC */
/*
 * flowkey.c - the Flow Key of a packet and its keyed hash; see flowkey.h.
 *
 * Knows nothing of the cache.  Keys are made once per packet, so all of this
 * is on the fastest path there is.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "decode.h"
#include "flowkey.h"

static_assert(sizeof(struct flow_key) == 40, "flow keys have no padding");

void
flow_hash_seed(struct flow_hash_seed *seed)
{
	arc4random_buf(seed, sizeof(*seed));
}

static inline uint64_t
word_at(const void *at)
{
	uint64_t w;

	memcpy(&w, at, sizeof(w));
	return w;
}

/*
 * Order of two addresses, < 0, 0, > 0: some order, the same for one cache, and
 * not that of the octets on every machine.
 */
static inline int
address_order(const struct packet *p)
{
	uint64_t a = word_at(p->src), b = word_at(p->dst);

	if (a == b) { /* always 0 in the rest of IPv4 */
		a = word_at(p->src + 8);
		b = word_at(p->dst + 8);
	}
	return (a > b) - (a < b);
}

/* Whether the packet runs from the higher endpoint to the lower one. */
static inline bool
runs_down(const struct packet *p, enum flow_key_level level)
{
	int order = address_order(p);

	if (order != 0 || level < KEY_FULL || protocol_is_icmp(p->protocol))
		return order > 0;
	return p->src_port > p->dst_port;
}

bool
flow_key_make(struct flow_key *key, struct flow_ether *ether,
    enum flow_key_level level, const struct packet *p)
{
	bool down = runs_down(p, level);

	memcpy(key->addr[down], p->src, 16);
	memcpy(key->addr[!down], p->dst, 16);
	key->protocol = level >= KEY_PROTO ? p->protocol : 0;
	key->ip_version = p->ip_version;
	key->mark = level >= KEY_VLAN ? p->vlan : 0;
	if (level == KEY_TOS)
		key->mark = p->tos;
	key->port[0] = key->port[1] = 0;
	if (level >= KEY_FULL) {
		bool turn = down && !protocol_is_icmp(p->protocol);

		key->port[turn] = p->src_port;
		key->port[!turn] = p->dst_port;
	}
	if (level == KEY_ETHER) {
		memcpy(ether->mac[down], p->src_mac, 6);
		memcpy(ether->mac[!down], p->dst_mac, 6);
	}
	return down;
}

/* The two halves of the 128-bit product, added. */
static inline uint64_t
fold(uint64_t a, uint64_t b)
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

uint64_t
flow_hash(const struct flow_hash_seed *seed, const struct flow_key *key,
    const struct flow_ether *ether)
{
	const uint64_t *s = seed->word;
	/* ports, mark, protocol, version */
	uint64_t rest = word_at(key->port), h;

	if (key->ip_version == 4) {
		uint32_t a, b;

		memcpy(&a, key->addr[0], 4);
		memcpy(&b, key->addr[1], 4);
		h = fold(((uint64_t)a << 32 | b) ^ s[0], rest ^ s[1]);
	} else {
		h = fold(word_at(key->addr[0]) ^ s[0],
		    word_at(key->addr[0] + 8) ^ s[1]);
		h ^= fold(word_at(key->addr[1]) ^ s[2],
		    word_at(key->addr[1] + 8) ^ s[3]);
		h = fold(h ^ s[4], rest ^ s[5]);
	}
	if (ether != NULL)
		h = fold(h ^ word_at(ether->mac[0]),
		    word_at(&ether->mac[0][4]) ^ s[4]);
	return fold(h ^ s[2], s[3]);
}

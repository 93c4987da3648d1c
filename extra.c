/* SPDX-License-Identifier: ISC */
/*
 * extra.c - what records tell of packets only if asked to; see extra.h.
 *
 * Looks at a datagram again that decode has taken, in the same bounds.  What
 * was not captured is 0; nothing here makes a packet good or bad.
 */
#include "extra.h"

#include <stdbool.h>
#include <string.h>

#include "bytes.h"
#include "decode.h"

#define EXTENSIONS_MAX 12 /* as decode walks */
#define IPV4_HEADER_LEN 20U
#define TCP_HEADER_LEN 20U

enum {
	PROTOCOL_HOP_BY_HOP = 0,
	PROTOCOL_TCP = 6,
	PROTOCOL_ROUTING = 43,
	PROTOCOL_FRAGMENT = 44,
	PROTOCOL_ESP = 50,
	PROTOCOL_AH = 51,
	PROTOCOL_DESTINATION = 60,
	PROTOCOL_COMPRESSION = 108,
	PROTOCOL_MOBILITY = 135
};

/* ipv6ExtensionHeaders, Information Element 64; erratum 1738. */
enum {
	EXTENSION_DESTINATION = 1 << 0,
	EXTENSION_HOP_BY_HOP = 1 << 1,
	EXTENSION_FIRST_FRAGMENT = 1 << 4,
	EXTENSION_ROUTING = 1 << 5,
	EXTENSION_LATER_FRAGMENT = 1 << 6,
	EXTENSION_MOBILITY = 1 << 12,
	EXTENSION_ESP = 1 << 13,
	EXTENSION_AH = 1 << 14,
	EXTENSION_COMPRESSION = 1 << 15
};

void
extra_label(struct packet_extra *x, uint32_t entry)
{
	if (x->labels == 0)
		x->label_ttl = (uint8_t)entry;
	if (x->labels < LABELS_MAX) {
		uint8_t *at = x->label[x->labels];

		at[0] = (uint8_t)(entry >> 24);
		at[1] = (uint8_t)(entry >> 16);
		at[2] = (uint8_t)(entry >> 8);
	}
	x->labels++;
}

/*
 * The next option of an IPv4 or TCP header: 0 and 1 are one octet, others tell
 * their length (RFC 791 s3.1, RFC 9293 s3.1).  False at the end of all.
 */
static bool
next_option(struct rbuf *r, uint8_t *kind)
{
	uint8_t len;

	*kind = rb_u8(r);
	if (*kind <= 1)
		return !r->bad;
	len = rb_u8(r);
	if (len < 2)
		r->bad = true;
	else
		rb_take(r, len - 2U);
	return !r->bad;
}

/* What follows the fixed IPv4 header, up to the header's own length. */
static void
read_ip_options(struct packet_extra *x, struct rbuf r, size_t len)
{
	uint8_t kind;

	rb_limit(&r, len);
	while (next_option(&r, &kind)) {
		x->ip_options |= UINT32_C(1) << (kind & 31);
		if (kind == 0) /* end of options */
			return;
	}
}

static void
read_tcp(struct packet_extra *x, struct rbuf r)
{
	size_t len;
	uint8_t kind;

	rb_take(&r, 4);
	x->tcp_sequence = rb_u32(&r);
	x->tcp_acknowledgement = rb_u32(&r);
	len = (size_t)(rb_u16(&r) >> 12) * 4;
	x->tcp_window = rb_u16(&r);
	rb_take(&r, 4);
	rb_limit(&r, len < TCP_HEADER_LEN ? 0 : len - TCP_HEADER_LEN);
	while (next_option(&r, &kind)) {
		if (kind < 64)
			x->tcp_options |= UINT64_C(1) << kind;
		if (kind == 0)
			return;
	}
}

/* A fragment header behind its first two octets (RFC 8200 s4.5). */
static void
read_fragment(struct packet_extra *x, struct rbuf *r)
{
	uint16_t offset = rb_u16(r); /* and M in the last bit */

	x->fragment_flags = offset & 1 ? 0x20 : 0;
	x->fragment_id = rb_u32(r);
	x->ipv6_extensions |= offset >> 3 == 0 ? EXTENSION_FIRST_FRAGMENT
					       : EXTENSION_LATER_FRAGMENT;
}

/* The bit of a header in a chain; 0 if it is none, or has two. */
static uint32_t
extension_bit(uint8_t kind)
{
	switch (kind) {
	case PROTOCOL_DESTINATION:
		return EXTENSION_DESTINATION;
	case PROTOCOL_HOP_BY_HOP:
		return EXTENSION_HOP_BY_HOP;
	case PROTOCOL_ROUTING:
		return EXTENSION_ROUTING;
	case PROTOCOL_MOBILITY:
		return EXTENSION_MOBILITY;
	case PROTOCOL_ESP:
		return EXTENSION_ESP;
	case PROTOCOL_AH:
		return EXTENSION_AH;
	case PROTOCOL_COMPRESSION:
		return EXTENSION_COMPRESSION;
	default:
		return 0;
	}
}

static bool
goes_on(uint8_t kind, bool ipv6)
{
	return kind == PROTOCOL_AH ||
	       (ipv6 &&
		   (kind == PROTOCOL_HOP_BY_HOP || kind == PROTOCOL_ROUTING ||
		       kind == PROTOCOL_FRAGMENT ||
		       kind == PROTOCOL_DESTINATION));
}

/* Step over AH and extension headers to the TCP header, if there is one. */
static void
read_chain(
    struct packet_extra *x, struct rbuf r, uint8_t kind, const struct packet *p)
{
	bool ipv6 = p->ip_version == 6;

	for (int n = 0; n < EXTENSIONS_MAX && goes_on(kind, ipv6); n++) {
		uint8_t next = rb_u8(&r);
		size_t units = rb_u8(&r);

		if (r.bad)
			return;
		if (ipv6)
			x->ipv6_extensions |= extension_bit(kind);
		if (kind == PROTOCOL_FRAGMENT)
			read_fragment(x, &r);
		else
			rb_take(&r, kind == PROTOCOL_AH ? units * 4 + 6
							: units * 8 + 6);
		if (x->ipv6_extensions & EXTENSION_LATER_FRAGMENT)
			return;
		kind = next;
	}
	if (ipv6)
		x->ipv6_extensions |= extension_bit(kind);
	if (kind == PROTOCOL_TCP && !r.bad)
		read_tcp(x, r);
}

static void
read_ipv4(struct packet_extra *x, struct rbuf r, const struct packet *p)
{
	size_t options_len = (size_t)(rb_u8(&r) & 0x0f) * 4 - IPV4_HEADER_LEN;
	uint16_t offset;
	uint8_t protocol;

	rb_take(&r, 3);
	x->fragment_id = rb_u16(&r);
	offset = rb_u16(&r);
	x->fragment_flags = (uint8_t)(offset >> 8 & 0xe0);
	x->ttl = rb_u8(&r);
	protocol = rb_u8(&r);
	rb_take(&r, 10);
	read_ip_options(x, r, options_len);
	rb_take(&r, options_len);
	if ((offset & 0x1fff) == 0)
		read_chain(x, r, protocol, p);
}

static void
read_ipv6(struct packet_extra *x, struct rbuf r, const struct packet *p)
{
	uint8_t next;

	x->flow_label = rb_u32(&r) & 0xfffff;
	rb_take(&r, 2);
	next = rb_u8(&r);
	x->ttl = rb_u8(&r);
	rb_take(&r, 32);
	read_chain(x, r, next, p);
}

void
extra_read(struct packet_extra *x, const uint8_t *ip, size_t len,
    const struct packet *p)
{
	struct rbuf r = rb_init(ip, len);

	rb_limit(&r, p->octets);
	if (p->ip_version == 4)
		read_ipv4(x, r, p);
	else
		read_ipv6(x, r, p);
	x->ttl_min = x->ttl_max = x->ttl;
	x->shortest = x->longest = p->octets;
}

void
extra_merge(struct packet_extra *sum, const struct packet_extra *one)
{
	sum->tcp_options |= one->tcp_options;
	sum->ip_options |= one->ip_options;
	sum->ipv6_extensions |= one->ipv6_extensions;
	if (one->shortest < sum->shortest)
		sum->shortest = one->shortest;
	if (one->longest > sum->longest)
		sum->longest = one->longest;
	if (one->ttl_min < sum->ttl_min)
		sum->ttl_min = one->ttl_min;
	if (one->ttl_max > sum->ttl_max)
		sum->ttl_max = one->ttl_max;
}

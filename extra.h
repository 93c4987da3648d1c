/* SPDX-License-Identifier: ISC */
/*
 * extra.h - what records tell only if asked to (--fields): read by decode
 * where a packet has it, merged by flowtrack, written by ie.
 *
 * Where nothing of it is asked for, there is no memory for it and nothing is
 * done.  Integers are in host byte order; what a packet lacks is 0.
 */
#ifndef EXTRA_H
#define EXTRA_H

#include <stddef.h>
#include <stdint.h>

struct packet; /* decode.h */

#define TAGS_MAX 2
#define LABELS_MAX 10 /* of an MPLS label stack, from the top */
#define LABEL_LEN 3   /* label, traffic class, bottom of stack (RFC 3032) */

/*
 * One packet; or the packets of one direction: the value of the first, but for
 * those fields that say otherwise.
 */
struct packet_extra {
	uint64_t tcp_options;       /* of all packets: 1 << kind, below 64 */
	uint32_t ip_options;        /* of all packets: 1 << number */
	uint32_t ipv6_extensions;   /* of all packets: bits of IE 64 */
	uint32_t shortest, longest; /* octets of the IP datagram */
	uint32_t flow_label;        /* of IPv6, 20 bits */
	uint32_t fragment_id;
	uint32_t tcp_sequence, tcp_acknowledgement;
	uint16_t tcp_window;
	uint16_t tag[TAGS_MAX]; /* tag control information, outermost first */
	uint8_t fragment_flags; /* 0x40 don't fragment, 0x20 more fragments */
	uint8_t ttl, ttl_min, ttl_max; /* or hop limit */
	uint8_t tags;                  /* in tag[] */
	uint8_t labels;                /* in the stack; may be > LABELS_MAX */
	uint8_t label_ttl;             /* of the top label */
	uint8_t label[LABELS_MAX][LABEL_LEN]; /* as on the wire */
};

/* Note one more tag (its control information), from the outside in. */
static inline void
extra_tag(struct packet_extra *x, uint16_t control)
{
	if (x->tags < TAGS_MAX)
		x->tag[x->tags++] = control;
}

/* Note one more entry of a label stack, from the top. */
void extra_label(struct packet_extra *, uint32_t entry);

/*
 * Fill the rest from a datagram that was decoded to *p: len captured octets
 * from its IP header on, frame padding perhaps among them.
 */
void extra_read(struct packet_extra *, const uint8_t *ip, size_t len,
    const struct packet *p);

/* Add one more packet to those before it. */
void extra_merge(struct packet_extra *sum, const struct packet_extra *one);

/* One direction of a flow. */
struct half_extra {
	struct packet_extra packet;
	uint64_t packets_total, octets_total; /* of all records of the flow */
	uint8_t src_mac[6], dst_mac[6];       /* of the first packet */
	/* ifIndex of what stands below ingress and egress; 0 = not known */
	uint32_t ingress_port, egress_port;
	uint8_t ingress_depth, egress_depth; /* as struct packet has them */
};

/* A conversation; half[0] is the direction of its first packet. */
struct flow_extra {
	struct half_extra half[2];
	uint64_t number; /* from 1 on, one for each that began */
};

#endif

/* SPDX-License-Identifier: ISC */
/*
 * decode.h - one captured frame to one struct packet.
 *
 * Pure: no state, no clock, no I/O, no allocation.  Every frame ends either as
 * a packet (DECODE_OK) or with exactly one named reason why it is not one.
 * What is read is checked against the captured length in the accessor
 * (bytes.h), and every loop consumes octets and has a stated limit.
 */
#ifndef DECODE_H
#define DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct packet_extra; /* extra.h */

enum decode_status {
	DECODE_OK,
	DISCARD_LINK_TYPE,      /* no decoder for this link type */
	DISCARD_SHORT_LINK,     /* ends inside the link-layer headers */
	DISCARD_SHORT_IP,       /* ends inside the fixed IP header */
	DISCARD_ARP,            /* ARP or RARP */
	DISCARD_LLC,            /* 802.2 without an IP payload */
	DISCARD_PPP_CONTROL,    /* LCP, IPCP, ..., PPPoE discovery */
	DISCARD_MPLS_PAYLOAD,   /* labels, but neither IP nor Ethernet below */
	DISCARD_WIFI_NOT_DATA,  /* 802.11 management, control, null data */
	DISCARD_WIFI_PROTECTED, /* 802.11 payload is encrypted */
	DISCARD_ETHERTYPE,      /* any other network-layer protocol */
	DISCARD_TOO_DEEP,       /* more tags, labels or headers than allowed */
	DISCARD_IP_VERSION,     /* version field is neither 4 nor 6 */
	DISCARD_IP_HEADER, /* header length below 20, or above the length */
	DISCARD_IPV6_EXTENSIONS, /* more extension headers than allowed */
	DECODE_STATUSES
};

/* Where a packet stands among the fragments of its datagram. */
enum fragment_kind { FRAGMENT_NONE, FRAGMENT_FIRST, FRAGMENT_LATER };

/* What is odd about an accounted packet; each bit has a counter. */
enum {
	NOTE_SHORT_TRANSPORT = 1, /* ports cut off: accounted with ports 0 */
	NOTE_FRAME_LENGTH = 2,    /* octets taken from the frame, since the IP
				     length was 0 or beyond the frame */
};

/*
 * What the Metering Process needs to know of one packet.  decode fills it from
 * `src` on; time_ns, clock_ns and depth are the capture's to fill, and ifindex
 * and direction, too, unless the link layer knows better.
 */
struct packet {
	uint64_t time_ns;         /* capture time; ns since 1970 UTC */
	uint64_t clock_ns;        /* timeline that never runs backwards */
	uint32_t ifindex;         /* where it was seen; 0 = unknown */
	uint8_t src[16], dst[16]; /* network order; IPv4 in the first 4 */
	uint32_t octets;          /* IP datagram: header and payload */
	uint32_t fragment_id;
	uint32_t egress;  /* by which it will leave, where that is told */
	uint32_t content; /* varies from packet to packet, not from hop to hop:
			     identification, TCP sequence, checksums */
	uint16_t src_port, dst_port; /* host order; ICMP: 0, type*256+code */
	uint16_t identifier;         /* of queries of ICMP and answers; or 0 */
	uint16_t tcp_flags;
	uint16_t vlan;      /* outermost VLAN identifier; 0 if untagged */
	uint16_t ethertype; /* of the network layer, also of a discarded one */
	uint8_t protocol;
	uint8_t ip_version;    /* 4 or 6 */
	uint8_t tos;           /* type of service, or traffic class */
	uint8_t fragment;      /* enum fragment_kind */
	uint8_t notes;         /* NOTE_ bits */
	uint8_t direction : 3; /* enum packet_direction */
	uint8_t covered : 1;   /* an interface may stand above that one */
	uint8_t depth : 4;     /* interfaces below the one where it was seen */
	uint8_t src_mac[6], dst_mac[6]; /* zero where there are none */
};

/*
 * Whether messages of ICMP or ICMPv6 of a type have an identifier: echo,
 * timestamp, information and address mask, each with its answer (RFC 792, RFC
 * 950, RFC 4443 s4).
 */
static inline bool
icmp_has_identifier(uint8_t protocol, unsigned type)
{
	return protocol == 1
		   ? type == 0 || type == 8 || (type >= 13 && type <= 18)
		   : protocol == 58 && (type == 128 || type == 129);
}

/*
 * Decode one frame of a link type: frame holds caplen captured octets of a
 * frame that was wirelen octets long.  caplen > wirelen is taken as equal.
 */
typedef enum decode_status decode_fn(
    const uint8_t *frame, size_t caplen, size_t wirelen, struct packet *);

/*
 * Return the decoder for a DLT_ value of libpcap; for an unknown one, a
 * decoder that answers DISCARD_LINK_TYPE to every frame.  Never NULL.
 */
decode_fn *decode_for(int dlt);

/*
 * As the decoder for a DLT_ value does, and fill what records only tell if
 * asked to; that means something with DECODE_OK.
 */
enum decode_status decode_extra(int dlt, const uint8_t *frame, size_t caplen,
    size_t wirelen, struct packet *, struct packet_extra *);

/* Whether decode_for has a real decoder for this DLT_ value. */
int decode_knows(int dlt);

/* The name of a reason as statistics show it, e.g. "ipv6-extensions". */
const char *decode_status_name(enum decode_status);

#endif

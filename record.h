/* SPDX-License-Identifier: ISC */
/*
 * record.h - the Flow Record (RFC 7011 s2): the narrow waist between the
 * Metering Process, which fills it, and the Exporting Process, which sends it.
 */
#ifndef RECORD_H
#define RECORD_H

#include <stdbool.h>
#include <stdint.h>

struct flow_extra; /* extra.h */

#define NS_PER_S UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)
#define MS_PER_S 1000U

/* flowEndReason, Information Element 136 (RFC 5102 s5.11.3). */
enum flow_end {
	FLOW_END_NONE = 0,         /* still active: seen by a control client */
	FLOW_END_IDLE = 1,         /* idle timeout */
	FLOW_END_ACTIVE = 2,       /* active timeout; the flow goes on */
	FLOW_END_FLOW = 3,         /* FIN from both sides, or RST */
	FLOW_END_FORCED = 4,       /* shutdown or expire-all */
	FLOW_END_NO_RESOURCES = 5, /* made room in a full cache */
	FLOW_ENDS = 6
};

/* biflowDirection, Information Element 239 (RFC 5103 s6.3). */
enum biflow_direction {
	BIFLOW_NONE = 0,      /* a record of one direction */
	BIFLOW_INITIATOR = 1, /* the source sent the first packet seen */
	BIFLOW_RESPONDER = 2  /* the destination did */
};

/* How packets were selected (RFC 5475): one in `interval`, 0 or 1 being all. */
enum sampling_mode { SAMPLING_SYSTEMATIC, SAMPLING_RANDOM, SAMPLING_HASH };

struct sampling {
	enum sampling_mode mode;
	uint32_t interval;
};

/* Which way a packet passed the interface where it was seen. */
enum packet_direction {
	DIRECTION_UNKNOWN = 0,
	DIRECTION_IN = 1, /* received by the box */
	DIRECTION_OUT = 2 /* sent by it */
};

/* From when to when something happened; all 0 = never. */
struct time_span {
	uint64_t first_ns, last_ns;
};

/* Let the span cover another, which may be empty. */
static inline void
span_cover(struct time_span *s, uint64_t first_ns, uint64_t last_ns)
{
	if (last_ns == 0)
		return;
	if (s->last_ns == 0 || first_ns < s->first_ns)
		s->first_ns = first_ns;
	if (last_ns > s->last_ns)
		s->last_ns = last_ns;
}

/* What one direction of a conversation carried. */
struct flow_half {
	uint64_t packets;
	uint64_t octets;    /* of IP datagrams, headers included */
	uint64_t start_ns;  /* first packet; ns since 1970 UTC */
	uint64_t end_ns;    /* last packet; start_ns <= end_ns */
	uint16_t tcp_flags; /* OR of all; bit 0 is FIN, bit 8 is AE/NS */
	uint8_t tos;        /* class of service of the first packet */
	uint8_t direction;  /* enum packet_direction, of those counted */
	/*
	 * ifIndex of the interfaces it came in by and left by; 0 = not known,
	 * or none, since the box itself is that end.  Where the direction is
	 * not known, ingress is where it was seen.
	 */
	uint32_t ingress, egress;
};

/*
 * The addresses and ports with which packets left the box after a NAT, of each
 * direction of a conversation.  In one of them, that of the replies, they are
 * those of the conversation: whoever began it sees no translation.
 */
struct flow_nat {
	struct {
		uint8_t src[16], dst[16];
		uint16_t src_port, dst_port;
	} half[2]; /* as in struct flow_extra */
};

/*
 * One conversation that ended (or, with FLOW_END_NONE, a picture of one that
 * has not).  Source is the side that sent the first packet.  Integers are in
 * host byte order, addresses in network order, IPv4 in the first 4 octets.
 */
struct flow_record {
	uint8_t src[16], dst[16];
	/* 0 without ports, but the identifier in src_port with --nat; see icmp
	 */
	uint16_t src_port, dst_port;
	uint16_t icmp; /* type * 256 + code; 0 unless ICMP */
	uint16_t vlan; /* 802.1Q VLAN identifier; 0 if none */
	uint8_t protocol;
	uint8_t ip_version; /* 4 or 6 */
	uint8_t end_reason; /* enum flow_end */
	uint8_t biflow;     /* enum biflow_direction */
	uint8_t src_mac[6], dst_mac[6];
	uint64_t ended_ns; /* when the record was made; >= end_ns */
	struct flow_half fwd, rev;
	/* What only --fields asks for, borrowed like the record; or NULL. */
	struct flow_extra *extra;
	const struct flow_nat *nat; /* borrowed; NULL = not translated */
	bool turned;                /* fwd is half 1 of extra and nat */
};

#endif

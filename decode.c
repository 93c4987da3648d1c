/* SPDX-License-Identifier: ISC */
/*
 * decode.c - frame octets to struct packet, or to the reason why not.
 *
 * A frame is walked from the outside in: the link layer of its DLT_, then any
 * stack of tags, labels and PPP, then IPv4 or IPv6, then the ports.  It keeps
 * no state and refuses to reassemble, to look into tunnels, and to verify
 * checksums.
 */
#include "decode.h"

#include <stdbool.h>
#include <string.h>

#include "bytes.h"
#include "extra.h"
#include "record.h"

/* What bounds each loop, and so the work one hostile frame can ask for. */
#define LINK_LAYERS_MAX 16     /* tags, labels and headers before IP */
#define NFLOG_TLVS_MAX 32      /* the kernel sends about 20 kinds */
#define IPV6_EXTENSIONS_MAX 12 /* RFC 8200 s4.1 knows 7 */
#define HOP_OPTIONS_MAX 8      /* looked at for a jumbo payload */

#define IPV4_HEADER_LEN 20U
#define IPV6_HEADER_LEN 40U
#define IP_LEN_MAX 65535U

/* libpcap's names for link types; its header stays with capture.c. */
enum {
	DLT_NULL = 0,
	DLT_EN10MB = 1,
	DLT_PPP = 9,
	DLT_RAW_OR_LOOP = 12, /* RAW, but on OpenBSD LOOP */
	DLT_RAW_BSDOS = 14,
	DLT_PPP_SERIAL = 50,
	DLT_PPP_ETHER = 51,
	DLT_RAW = 101, /* the value in capture files */
	DLT_C_HDLC = 104,
	DLT_IEEE802_11 = 105,
	DLT_LOOP = 108,
	DLT_LINUX_SLL = 113,
	DLT_PFLOG = 117,
	DLT_IEEE802_11_RADIO = 127,
	DLT_PPI = 192,
	DLT_IPV4 = 228,
	DLT_IPV6 = 229,
	DLT_NFLOG = 239,
	DLT_LINUX_SLL2 = 276
};

enum {
	ETHERTYPE_MIN = 0x0600, /* below: a length, with 802.2 behind */
	ETHERTYPE_IPV4 = 0x0800,
	ETHERTYPE_ARP = 0x0806,
	ETHERTYPE_RARP = 0x8035, /* on C_HDLC: SLARP */
	ETHERTYPE_VLAN = 0x8100,
	ETHERTYPE_IPV6 = 0x86dd,
	ETHERTYPE_MPLS = 0x8847,
	ETHERTYPE_MPLS_MULTICAST = 0x8848,
	ETHERTYPE_PPPOE_DISCOVERY = 0x8863,
	ETHERTYPE_PPPOE_SESSION = 0x8864,
	ETHERTYPE_SERVICE_VLAN = 0x88a8,
	ETHERTYPE_OLD_QINQ = 0x9100
};

enum {
	PROTOCOL_HOP_BY_HOP = 0,
	PROTOCOL_ICMP = 1,
	PROTOCOL_TCP = 6,
	PROTOCOL_UDP = 17,
	PROTOCOL_DCCP = 33,
	PROTOCOL_ROUTING = 43,
	PROTOCOL_FRAGMENT = 44,
	PROTOCOL_AH = 51,
	PROTOCOL_ICMPV6 = 58,
	PROTOCOL_NO_NEXT_HEADER = 59,
	PROTOCOL_DESTINATION = 60,
	PROTOCOL_SCTP = 132,
	PROTOCOL_UDPLITE = 136
};

/* One frame on its way from the outside in. */
struct frame {
	struct rbuf r;     /* in the end it stands at the IP header */
	size_t uncaptured; /* octets on the wire behind the captured ones */
	size_t believed;   /* IP lengths up to this may exceed the frame */
	unsigned layers;   /* link-layer headers walked, of LINK_LAYERS_MAX */
	bool tagged;       /* packet.vlan is set */
	struct packet_extra *extra; /* NULL: nobody asks */
};

/* Walks what stands at the cursor, to the end. */
typedef enum decode_status walk_fn(struct frame *, struct packet *);

static enum decode_status walk_ethertype(
    struct frame *, uint16_t type, struct packet *);

/* Begin: clear every field that decode answers for, from `src` on. */
static inline struct frame
frame_start(
    const uint8_t *octets, size_t caplen, size_t wirelen, struct packet *p)
{
	const size_t first = offsetof(struct packet, src);

	/* In two parts: one would be a slow instruction for long ones. */
	memset((uint8_t *)p + first, 0, 48);
	memset((uint8_t *)p + first + 48, 0, sizeof(*p) - first - 48);
	return (struct frame){ .r = rb_init(octets, caplen),
		.uncaptured = wirelen > caplen ? wirelen - caplen : 0 };
}

/*
 * Internet and transport layer
 */

/*
 * How far into the header of each protocol is read: up to the destination
 * port, up to the type and code of ICMP, up to the flags of TCP; 0 where
 * there is nothing to read.
 */
static const uint8_t transport_len[UINT8_MAX + 1] = {
	[PROTOCOL_TCP] = 14,
	[PROTOCOL_UDP] = 4,
	[PROTOCOL_DCCP] = 4,
	[PROTOCOL_SCTP] = 4,
	[PROTOCOL_UDPLITE] = 4,
	[PROTOCOL_ICMP] = 2,
	[PROTOCOL_ICMPV6] = 2,
};

/* The rest of a transport header, left octets of it, which ends early. */
static void
read_short_transport(const uint8_t *at, size_t left, struct packet *p)
{
	if (left >= 4) {
		p->src_port = be16(at);
		p->dst_port = be16(at + 2);
	}
	if (left >= 8) /* a sequence number; length and checksum of UDP */
		p->content ^= be32(at + 4);
	if (left >= 12 && p->protocol == PROTOCOL_TCP)
		p->content += be32(at + 8); /* acknowledgement */
}

/* Type and code; checksum and identifier tell messages apart. */
static void
read_icmp(const uint8_t *at, size_t left, struct packet *p)
{
	if (left >= 2)
		p->dst_port = be16(at);
	if (left < 6)
		return;
	p->content ^= be32(at + 2);
	if (icmp_has_identifier(p->protocol, at[0]))
		p->identifier = be16(at + 4);
}

/*
 * Ports, or ICMP type and code, and TCP flags out of the left octets of a
 * transport header.  TCP and UDP take the same way: which of them comes next
 * cannot be predicted.
 */
static void
read_transport_header(const uint8_t *at, size_t left, struct packet *p)
{
	size_t need = transport_len[p->protocol];

	if (left < need)
		p->notes |= NOTE_SHORT_TRANSPORT;
	if (need <= 2) {
		if (need != 0)
			read_icmp(at, left, p);
	} else if (left < 14) {
		read_short_transport(at, left, p);
	} else {
		uint32_t tcp = need == 14 ? UINT32_MAX : 0;

		p->src_port = be16(at);
		p->dst_port = be16(at + 2);
		p->content = (p->content ^ be32(at + 4)) + (be32(at + 8) & tcp);
		/* less the data offset */
		p->tcp_flags = be16(at + 12) & 0x0fff & (uint16_t)tcp;
	}
}

/* The transport layer, at r, unless a fragment before this one had it. */
static inline void
read_transport(const struct rbuf *r, struct packet *p)
{
	if (p->fragment == FRAGMENT_LATER)
		return;
	if (r->bad)
		p->notes |= NOTE_SHORT_TRANSPORT;
	else
		read_transport_header(r->p, rb_left(r), p);
}

static void
set_fragment(struct packet *p, bool later, bool more, uint32_t id)
{
	if (!later && !more) /* whole, or atomic (RFC 6946) */
		return;
	p->fragment = later ? FRAGMENT_LATER : FRAGMENT_FIRST;
	p->fragment_id = id;
}

static bool
is_extension(const struct packet *p)
{
	switch (p->protocol) {
	case PROTOCOL_AH:
		return true;
	case PROTOCOL_HOP_BY_HOP:
	case PROTOCOL_ROUTING:
	case PROTOCOL_FRAGMENT:
	case PROTOCOL_DESTINATION:
		return p->ip_version == 6;
	default:
		return false;
	}
}

/* One extension header (RFC 8200 s4), or AH; p->protocol says which. */
static void
read_extension(struct rbuf *r, struct packet *p)
{
	uint8_t kind = p->protocol;
	uint8_t next = rb_u8(r);
	size_t units = rb_u8(r);

	if (r->bad)
		return;
	p->protocol = next;
	if (kind == PROTOCOL_FRAGMENT) {
		uint16_t offset = rb_u16(r); /* and M in the last bit */
		uint32_t id = rb_u32(r);

		if (!r->bad)
			set_fragment(p, offset >> 3 != 0, offset & 1, id);
	} else if (kind == PROTOCOL_AH) {
		rb_take(r, units * 4 + 6); /* RFC 4302 s2.2 */
	} else {
		rb_take(r, units * 8 + 6);
	}
}

/* Walk AH and the extension headers, then the transport layer. */
static enum decode_status
walk_extensions(struct rbuf r, struct packet *p)
{
	for (int n = 0; is_extension(p); n++) {
		if (n == IPV6_EXTENSIONS_MAX)
			return DISCARD_IPV6_EXTENSIONS;
		read_extension(&r, p);
		if (r.bad || p->fragment == FRAGMENT_LATER)
			break;
	}
	if (r.bad)
		p->notes |= NOTE_SHORT_TRANSPORT;
	read_transport(&r, p);
	return DECODE_OK;
}

/*
 * The datagram's octets by its header, unless that says 0, as segmentation
 * offload leaves it, or more than there was on the wire.
 */
static inline size_t
datagram_len(const struct frame *f, uint64_t len, struct packet *p)
{
	size_t wire_len = rb_left(&f->r) + f->uncaptured;

	if (len != 0 && (len <= wire_len || len <= f->believed))
		return (size_t)len;
	p->notes |= NOTE_FRAME_LENGTH;
	return wire_len;
}

/* RFC 791 s3.1 */
static enum decode_status
walk_ipv4(struct frame *f, struct packet *p)
{
	struct rbuf r = rb_rest(&f->r);
	const uint8_t *h = rb_take(&r, IPV4_HEADER_LEN);
	size_t header_len, len;
	uint16_t id, offset;

	p->ethertype = ETHERTYPE_IPV4;
	p->ip_version = 4;
	if (h == NULL)
		return DISCARD_SHORT_IP;
	header_len = (size_t)(h[0] & 0x0f) * 4;
	len = datagram_len(f, be16(h + 2), p);
	if (header_len < IPV4_HEADER_LEN || header_len > len)
		return DISCARD_IP_HEADER;
	p->octets = (uint32_t)len;
	p->tos = h[1];
	p->content = id = be16(h + 4);
	offset = be16(h + 6);
	p->protocol = h[9];
	memcpy(p->src, h + 12, 4);
	memcpy(p->dst, h + 16, 4);
	rb_limit(&r, len - IPV4_HEADER_LEN);
	rb_take(&r, header_len - IPV4_HEADER_LEN);
	set_fragment(p, (offset & 0x1fff) != 0, (offset & 0x2000) != 0, id);
	if (p->protocol == PROTOCOL_AH && p->fragment != FRAGMENT_LATER)
		return walk_extensions(r, p);
	read_transport(&r, p);
	return DECODE_OK;
}

/*
 * The payload length of a jumbogram (RFC 2675 s2), 0 if it is none; r stands
 * at the hop-by-hop options header.
 */
static uint32_t
jumbo_len(struct rbuf r)
{
	rb_take(&r, 1);
	rb_limit(&r, rb_u8(&r) * 8U + 6);
	for (int n = 0; n < HOP_OPTIONS_MAX && !r.bad; n++) {
		uint8_t option = rb_u8(&r);
		uint8_t len;
		uint32_t jumbo;

		if (option == 0) /* Pad1 has no length */
			continue;
		len = rb_u8(&r);
		if (option != 0xc2 || len != 4) {
			rb_take(&r, len);
			continue;
		}
		jumbo = rb_u32(&r);
		return jumbo > IP_LEN_MAX ? jumbo : 0;
	}
	return 0;
}

/* RFC 8200 s3 */
static enum decode_status
walk_ipv6(struct frame *f, struct packet *p)
{
	struct rbuf r = rb_rest(&f->r);
	const uint8_t *h = rb_take(&r, IPV6_HEADER_LEN);
	uint64_t payload_len;
	size_t len;

	p->ethertype = ETHERTYPE_IPV6;
	p->ip_version = 6;
	if (h == NULL)
		return DISCARD_SHORT_IP;
	p->tos = (uint8_t)(be16(h) >> 4);
	payload_len = be16(h + 4);
	p->protocol = h[6];
	memcpy(p->src, h + 8, 16);
	memcpy(p->dst, h + 24, 16);
	if (payload_len == 0 && p->protocol == PROTOCOL_HOP_BY_HOP)
		payload_len = jumbo_len(r);
	if (payload_len == 0 && p->protocol != PROTOCOL_NO_NEXT_HEADER)
		len = datagram_len(f, 0, p);
	else
		len = datagram_len(f, IPV6_HEADER_LEN + payload_len, p);
	p->octets = (uint32_t)len;
	rb_limit(&r, len - IPV6_HEADER_LEN);
	return walk_extensions(r, p);
}

/* The version field decides, whatever the link layer called it. */
static enum decode_status
walk_ip(struct frame *f, struct packet *p)
{
	if (rb_left(&f->r) == 0 || f->r.bad)
		return DISCARD_SHORT_IP;
	switch (f->r.p[0] >> 4) {
	case 4:
		return walk_ipv4(f, p);
	case 6:
		return walk_ipv6(f, p);
	default:
		return DISCARD_IP_VERSION;
	}
}

/*
 * Between the link layer and IP
 */

/* Apart, so that the function below saves no registers for it. */
static enum decode_status __attribute__((cold, noinline)) walk_noted_vlan(
    struct frame *f, uint16_t control, uint16_t type, struct packet *p)
{
	extra_tag(f->extra, control);
	return walk_ethertype(f, type, p);
}

/* IEEE 802.1Q tag; packet.vlan is the outermost one's. */
static enum decode_status
walk_vlan(struct frame *f, struct packet *p)
{
	uint16_t control = rb_u16(&f->r);
	uint16_t type = rb_u16(&f->r);

	if (f->r.bad)
		return DISCARD_SHORT_LINK;
	if (!f->tagged)
		p->vlan = control & 0x0fff;
	f->tagged = true;
	if (f->extra != NULL)
		return walk_noted_vlan(f, control, type, p);
	return walk_ethertype(f, type, p);
}

/* IEEE 802.2 LLC, with SNAP. */
static enum decode_status
walk_llc(struct frame *f, struct packet *p)
{
	uint16_t saps = rb_u16(&f->r);
	uint8_t control = rb_u8(&f->r);
	uint32_t oui;
	uint16_t type;

	p->ethertype = 0;
	if (f->r.bad)
		return DISCARD_SHORT_LINK;
	if (saps == 0x0606 && control == 3) /* IP without SNAP */
		return walk_ip(f, p);
	if (saps != 0xaaaa || control != 3)
		return DISCARD_LLC;
	oui = (uint32_t)rb_u8(&f->r) << 16;
	oui |= rb_u16(&f->r);
	type = rb_u16(&f->r);
	if (f->r.bad)
		return DISCARD_SHORT_LINK;
	if (oui != 0x000000 && oui != 0x0000f8) /* RFC 1042, 802.1H */
		return DISCARD_LLC;
	return walk_ethertype(f, type, p);
}

static enum decode_status walk_mpls(struct frame *, struct packet *);

/* PPP (RFC 1661 s2), with or without HDLC address and control (RFC 1662). */
static enum decode_status
walk_ppp(struct frame *f, struct packet *p)
{
	uint16_t protocol = rb_u8(&f->r);

	if (protocol == 0xff) {
		rb_take(&f->r, 1);
		protocol = rb_u8(&f->r);
	}
	if ((protocol & 1) == 0) /* not compressed to one octet */
		protocol = (uint16_t)(protocol << 8 | rb_u8(&f->r));
	if (f->r.bad)
		return DISCARD_SHORT_LINK;
	switch (protocol) {
	case 0x0021:
	case 0x0057:
		return walk_ip(f, p);
	case 0x0281:
	case 0x0283:
		return walk_mpls(f, p);
	default:
		return protocol >= 0x8000 ? DISCARD_PPP_CONTROL
					  : DISCARD_ETHERTYPE;
	}
}

/* PPPoE (RFC 2516 s4); only code 0 is a session's data. */
static enum decode_status
walk_pppoe(struct frame *f, struct packet *p)
{
	uint8_t code;

	rb_take(&f->r, 1);
	code = rb_u8(&f->r);
	rb_take(&f->r, 4);
	if (f->r.bad)
		return DISCARD_SHORT_LINK;
	return code == 0 ? walk_ppp(f, p) : DISCARD_PPP_CONTROL;
}

static bool ethertype_known(uint16_t type);

/* Whether r stands at an Ethernet header, as far as one can tell. */
static bool
looks_like_ethernet(struct rbuf r)
{
	uint16_t type;
	unsigned version;

	rb_take(&r, 12);
	type = rb_u16(&r);
	version = rb_u8(&r) >> 4;
	if (r.bad)
		return false;
	if (type == ETHERTYPE_IPV4)
		return version == 4;
	if (type == ETHERTYPE_IPV6)
		return version == 6;
	return ethertype_known(type);
}

/* An Ethernet frame inside another one, whose addresses count. */
static enum decode_status
walk_inner_ethernet(struct frame *f, struct packet *p)
{
	uint16_t type;

	rb_take(&f->r, 12);
	type = rb_u16(&f->r);
	return f->r.bad ? DISCARD_SHORT_LINK : walk_ethertype(f, type, p);
}

static uint32_t
read_label(struct frame *f)
{
	uint32_t label = rb_u32(&f->r);

	if (f->extra != NULL && !f->r.bad)
		extra_label(f->extra, label);
	return label;
}

/*
 * A label stack (RFC 3032 s2.1).  It does not say what it carries: IP by its
 * version (RFC 4928 s2), else Ethernet behind a control word of which the
 * first four bits are 0 (RFC 4448 s4.6), else Ethernet at once.
 */
static enum decode_status
walk_mpls(struct frame *f, struct packet *p)
{
	struct rbuf peek;
	uint32_t label = read_label(f);
	unsigned nibble;

	while ((label & 0x100) == 0 && !f->r.bad) { /* not the bottom */
		if (f->layers++ == LINK_LAYERS_MAX)
			return DISCARD_TOO_DEEP;
		label = read_label(f);
	}
	peek = rb_rest(&f->r);
	nibble = rb_u8(&peek) >> 4;
	if (peek.bad)
		return DISCARD_SHORT_LINK;
	if (nibble == 4 || nibble == 6)
		return walk_ip(f, p);
	rb_take(&peek, 3);
	if (nibble == 0 && looks_like_ethernet(peek))
		f->r = peek;
	else if (!looks_like_ethernet(f->r))
		return DISCARD_MPLS_PAYLOAD;
	return walk_inner_ethernet(f, p);
}

/* What may follow; where walk is NULL the frame is discarded as status. */
static const struct layer {
	uint16_t ethertype;
	enum decode_status status;
	walk_fn *walk;
} layers[] = {
	/* clang-format off */
	{ ETHERTYPE_IPV4,            DECODE_OK,           walk_ip    },
	{ ETHERTYPE_IPV6,            DECODE_OK,           walk_ip    },
	{ ETHERTYPE_VLAN,            DECODE_OK,           walk_vlan  },
	{ ETHERTYPE_SERVICE_VLAN,    DECODE_OK,           walk_vlan  },
	{ ETHERTYPE_OLD_QINQ,        DECODE_OK,           walk_vlan  },
	{ ETHERTYPE_PPPOE_SESSION,   DECODE_OK,           walk_pppoe },
	{ ETHERTYPE_MPLS,            DECODE_OK,           walk_mpls  },
	{ ETHERTYPE_MPLS_MULTICAST,  DECODE_OK,           walk_mpls  },
	{ ETHERTYPE_ARP,             DISCARD_ARP,         NULL       },
	{ ETHERTYPE_RARP,            DISCARD_ARP,         NULL       },
	{ ETHERTYPE_PPPOE_DISCOVERY, DISCARD_PPP_CONTROL, NULL       },
	/* clang-format on */
};

#define NLAYERS (sizeof(layers) / sizeof(layers[0]))

static const struct layer *
find_layer(uint16_t type)
{
	for (size_t i = 0; i < NLAYERS; i++)
		if (layers[i].ethertype == type)
			return &layers[i];
	return NULL;
}

static bool
ethertype_known(uint16_t type)
{
	return find_layer(type) != NULL;
}

/* Go on behind an EtherType other than IP, or a length with 802.2. */
static enum decode_status
walk_other_ethertype(struct frame *f, uint16_t type, struct packet *p)
{
	const struct layer *layer;

	if (f->layers++ == LINK_LAYERS_MAX)
		return DISCARD_TOO_DEEP;
	if (type < ETHERTYPE_MIN)
		return walk_llc(f, p);
	layer = find_layer(type);
	if (layer == NULL)
		return DISCARD_ETHERTYPE;
	return layer->walk == NULL ? layer->status : layer->walk(f, p);
}

/* Go on behind a field that holds an EtherType. */
static inline enum decode_status
walk_ethertype(struct frame *f, uint16_t type, struct packet *p)
{
	p->ethertype = type;
	return type == ETHERTYPE_IPV4 || type == ETHERTYPE_IPV6
		   ? walk_ip(f, p)
		   : walk_other_ethertype(f, type, p);
}

/*
 * Link layers
 */

static inline enum decode_status
walk_ethernet(struct frame *f, struct packet *p)
{
	const uint8_t *h = rb_take(&f->r, 14);

	if (h == NULL)
		return DISCARD_SHORT_LINK;
	memcpy(p->dst_mac, h, 6);
	memcpy(p->src_mac, h + 6, 6);
	return walk_ethertype(f, be16(h + 12), p);
}

/* A packet type of Linux cooked capture: 4 is "sent by us". */
static enum packet_direction
sll_direction(unsigned type)
{
	return type < 4    ? DIRECTION_IN
	       : type == 4 ? DIRECTION_OUT
			   : DIRECTION_UNKNOWN;
}

/* The address field of Linux cooked capture: 8 octets, len of them used. */
static void
read_sll_address(struct rbuf *r, size_t len, struct packet *p)
{
	if (len == 6) {
		rb_copy(r, p->src_mac, 6);
		rb_take(r, 2);
	} else {
		rb_take(r, 8);
	}
}

/* Linux cooked capture; 0x0004 in its protocol field means 802.2. */
static enum decode_status
walk_sll(struct frame *f, struct packet *p)
{
	uint16_t type;

	p->direction = (unsigned)sll_direction(rb_u16(&f->r)) & 7U;
	rb_take(&f->r, 2); /* ARPHRD_ type */
	read_sll_address(&f->r, rb_u16(&f->r), p);
	type = rb_u16(&f->r);
	return f->r.bad ? DISCARD_SHORT_LINK : walk_ethertype(f, type, p);
}

static enum decode_status
walk_sll2(struct frame *f, struct packet *p)
{
	uint16_t type = rb_u16(&f->r);
	uint32_t ifindex;

	rb_take(&f->r, 2);
	ifindex = rb_u32(&f->r);
	rb_take(&f->r, 2); /* ARPHRD_ type */
	p->direction = (unsigned)sll_direction(rb_u8(&f->r)) & 7U;
	read_sll_address(&f->r, rb_u8(&f->r), p);
	if (f->r.bad)
		return DISCARD_SHORT_LINK;
	if (ifindex != 0)
		p->ifindex = ifindex;
	return walk_ethertype(f, type, p);
}

/*
 * NULL and LOOP: an address family of whichever system captured, in its byte
 * order or in network order.  It is small, so the smaller reading is right.
 */
static enum decode_status
walk_null(struct frame *f, struct packet *p)
{
	struct rbuf twin = rb_rest(&f->r);
	uint32_t little = rb_le32(&twin);
	uint32_t family = rb_u32(&f->r);

	if (f->r.bad)
		return DISCARD_SHORT_LINK;
	if (family > little)
		family = little;
	switch (family) {
	case 2:  /* AF_INET everywhere */
	case 10: /* AF_INET6 of Linux */
	case 24: /* NetBSD, OpenBSD */
	case 28: /* FreeBSD */
	case 30: /* macOS */
		return walk_ip(f, p);
	default:
		return DISCARD_ETHERTYPE;
	}
}

/* RAW, unless it begins with an address family in network order. */
static enum decode_status
walk_raw_or_loop(struct frame *f, struct packet *p)
{
	struct rbuf peek = rb_rest(&f->r);

	if (rb_u8(&peek) == 0 && !peek.bad)
		return walk_null(f, p);
	return walk_ip(f, p);
}

/* Cisco HDLC: address, control, EtherType. */
static enum decode_status
walk_chdlc(struct frame *f, struct packet *p)
{
	uint16_t type;

	rb_take(&f->r, 2);
	type = rb_u16(&f->r);
	return f->r.bad ? DISCARD_SHORT_LINK : walk_ethertype(f, type, p);
}

/* A serial line speaks Cisco HDLC if it begins with one of its addresses. */
static enum decode_status
walk_ppp_serial(struct frame *f, struct packet *p)
{
	struct rbuf peek = rb_rest(&f->r);
	uint8_t address = rb_u8(&peek);

	if (address == 0x0f || address == 0x8f)
		return walk_chdlc(f, p);
	return walk_ppp(f, p);
}

/*
 * OpenBSD pf: the first octet is the header's length before padding to 4.  The
 * direction is its last, and stands there still where more came after it.
 */
static enum decode_status
walk_pflog(struct frame *f, struct packet *p)
{
	const size_t shortest = 45, usual = 61;
	size_t len = rb_u8(&f->r);
	const uint8_t *rest;

	if (len < shortest)
		return DISCARD_SHORT_LINK;
	rest = rb_take(&f->r, (len + 3) / 4 * 4 - 1);
	if (rest == NULL)
		return DISCARD_SHORT_LINK;
	switch (rest[(len < usual ? shortest : usual) - 2]) {
	case 1:
		p->direction = DIRECTION_IN;
		break;
	case 2:
		p->direction = DIRECTION_OUT;
		break;
	}
	return walk_ip(f, p);
}

struct tlv {
	size_t len; /* with this header's 4 octets */
	uint16_t type;
};

/*
 * The header of a netlink attribute, in the byte order of whichever system
 * captured.  Types are below 256, so the smaller reading is right.
 */
static struct tlv
read_tlv(struct rbuf *r)
{
	struct rbuf twin = rb_rest(r);
	struct tlv big, little;

	little.len = rb_le16(&twin);
	little.type = rb_le16(&twin);
	big.len = rb_u16(r);
	big.type = rb_u16(r);
	return big.type < little.type ? big : little;
}

/* A packet that only leaves was seen where it does. */
static void
note_interfaces(struct packet *p, uint32_t in)
{
	if (in != 0) {
		p->direction = DIRECTION_IN;
		p->ifindex = in;
	} else if (p->egress != 0) {
		p->direction = DIRECTION_OUT;
		p->ifindex = p->egress;
	}
}

/*
 * Linux netfilter log: attributes, of which one is the datagram.  It may be a
 * shortened copy and nothing but the IP header tells, so that is believed.
 */
static enum decode_status
walk_nflog(struct frame *f, struct packet *p)
{
	enum { INTERFACE_IN = 4, INTERFACE_OUT = 5, PAYLOAD = 9 };
	uint32_t in = 0;

	rb_take(&f->r, 4); /* address family, version, group */
	for (int n = 0; n < NFLOG_TLVS_MAX; n++) {
		struct tlv tlv = read_tlv(&f->r);

		if (f->r.bad || tlv.len < 4)
			return DISCARD_SHORT_LINK;
		tlv.len -= 4;
		if (tlv.type == PAYLOAD) {
			rb_limit(&f->r, tlv.len);
			f->uncaptured = 0;
			f->believed = IPV6_HEADER_LEN + IP_LEN_MAX;
			note_interfaces(p, in);
			return walk_ip(f, p);
		}
		if (tlv.type == INTERFACE_IN && tlv.len == 4)
			in = rb_u32(&f->r);
		else if (tlv.type == INTERFACE_OUT && tlv.len == 4)
			p->egress = rb_u32(&f->r);
		else
			rb_take(&f->r, (tlv.len + 3) / 4 * 4);
	}
	return DISCARD_TOO_DEEP;
}

/*
 * The addresses of an 802.11 data frame (IEEE 802.11 table 9-30) and its
 * sequence control; 1 to DS, 2 from DS.
 */
static uint16_t
read_wifi_addresses(struct rbuf *r, unsigned ds, struct packet *p)
{
	uint8_t address[4][6];
	uint16_t sequence;

	for (int i = 0; i < 3; i++)
		rb_copy(r, address[i], 6);
	sequence = rb_le16(r);
	if (ds == 3)
		rb_copy(r, address[3], 6);
	memcpy(p->dst_mac, address[(ds & 1) != 0 ? 2 : 0], 6);
	memcpy(p->src_mac, address[ds <= 1 ? 1 : ds], 6);
	return sequence;
}

/*
 * IEEE 802.11: data frames that carry one whole, clear MSDU.  Aggregates and
 * later fragments count as no data.
 */
static enum decode_status
walk_wifi(struct frame *f, struct packet *p)
{
	uint8_t control = rb_u8(&f->r); /* subtype, type, version */
	uint8_t flags = rb_u8(&f->r);
	bool qos = (control & 0x80) != 0;
	bool partial;

	if (f->r.bad)
		return DISCARD_SHORT_LINK;
	if ((control & 0x4f) != 0x08) /* data, version 0, not null */
		return DISCARD_WIFI_NOT_DATA;
	if ((flags & 0x40) != 0)
		return DISCARD_WIFI_PROTECTED;
	rb_take(&f->r, 2); /* duration */
	partial = (read_wifi_addresses(&f->r, flags & 3, p) & 0x0f) != 0;
	if (qos && (rb_le16(&f->r) & 0x80) != 0)
		partial = true; /* A-MSDU */
	if (qos && (flags & 0x80) != 0)
		rb_take(&f->r, 4); /* HT control */
	if (f->r.bad)
		return DISCARD_SHORT_LINK;
	return partial ? DISCARD_WIFI_NOT_DATA : walk_llc(f, p);
}

/* Radiotap before 802.11. */
static enum decode_status
walk_radiotap(struct frame *f, struct packet *p)
{
	size_t len;

	rb_take(&f->r, 2);
	len = rb_le16(&f->r);
	if (len < 8)
		return DISCARD_SHORT_LINK;
	rb_take(&f->r, len - 4);
	return f->r.bad ? DISCARD_SHORT_LINK : walk_wifi(f, p);
}

static walk_fn *walk_for(int dlt);

/* Per-Packet Information before a frame of the link type it names. */
static enum decode_status
walk_ppi(struct frame *f, struct packet *p)
{
	size_t len;
	uint32_t dlt;

	rb_take(&f->r, 2);
	len = rb_le16(&f->r);
	dlt = rb_le32(&f->r);
	if (len < 8)
		return DISCARD_SHORT_LINK;
	rb_take(&f->r, len - 8);
	if (f->r.bad)
		return DISCARD_SHORT_LINK;
	if (dlt == DLT_PPI || dlt > UINT16_MAX)
		return DISCARD_LINK_TYPE;
	return walk_for((int)dlt)(f, p);
}

static enum decode_status
walk_unknown(struct frame *f, struct packet *p)
{
	(void)f;
	(void)p;
	return DISCARD_LINK_TYPE;
}

/*
 * The doors
 */

#define DECODER(name, walk)                                                    \
	static enum decode_status name(const uint8_t *octets, size_t caplen,   \
	    size_t wirelen, struct packet *p)                                  \
	{                                                                      \
		struct frame f = frame_start(octets, caplen, wirelen, p);      \
                                                                               \
		return walk(&f, p);                                            \
	}

DECODER(decode_null, walk_null)
DECODER(decode_ethernet, walk_ethernet)
DECODER(decode_ppp, walk_ppp)
DECODER(decode_raw_or_loop, walk_raw_or_loop)
DECODER(decode_ip, walk_ip)
DECODER(decode_ppp_serial, walk_ppp_serial)
DECODER(decode_pppoe, walk_pppoe)
DECODER(decode_chdlc, walk_chdlc)
DECODER(decode_wifi, walk_wifi)
DECODER(decode_sll, walk_sll)
DECODER(decode_pflog, walk_pflog)
DECODER(decode_radiotap, walk_radiotap)
DECODER(decode_ppi, walk_ppi)
DECODER(decode_nflog, walk_nflog)
DECODER(decode_sll2, walk_sll2)
DECODER(decode_unknown, walk_unknown)

static const struct link {
	int dlt;
	decode_fn *decode;
	walk_fn *walk; /* the same, for a frame that was begun */
} links[] = {
	/* clang-format off */
	{ DLT_NULL,             decode_null,        walk_null        },
	{ DLT_EN10MB,           decode_ethernet,    walk_ethernet    },
	{ DLT_PPP,              decode_ppp,         walk_ppp         },
	{ DLT_RAW_OR_LOOP,      decode_raw_or_loop, walk_raw_or_loop },
	{ DLT_RAW_BSDOS,        decode_ip,          walk_ip          },
	{ DLT_PPP_SERIAL,       decode_ppp_serial,  walk_ppp_serial  },
	{ DLT_PPP_ETHER,        decode_pppoe,       walk_pppoe       },
	{ DLT_RAW,              decode_ip,          walk_ip          },
	{ DLT_C_HDLC,           decode_chdlc,       walk_chdlc       },
	{ DLT_IEEE802_11,       decode_wifi,        walk_wifi        },
	{ DLT_LOOP,             decode_null,        walk_null        },
	{ DLT_LINUX_SLL,        decode_sll,         walk_sll         },
	{ DLT_PFLOG,            decode_pflog,       walk_pflog       },
	{ DLT_IEEE802_11_RADIO, decode_radiotap,    walk_radiotap    },
	{ DLT_PPI,              decode_ppi,         walk_ppi         },
	{ DLT_IPV4,             decode_ip,          walk_ip          },
	{ DLT_IPV6,             decode_ip,          walk_ip          },
	{ DLT_NFLOG,            decode_nflog,       walk_nflog       },
	{ DLT_LINUX_SLL2,       decode_sll2,        walk_sll2        },
	{ -1,                   decode_unknown,     walk_unknown     },
	/* clang-format on */
};

/* The row of a link type, or the last one. */
static const struct link *
find_link(int dlt)
{
	const struct link *link = links;

	while (link->dlt != dlt && link->dlt != -1)
		link++;
	return link;
}

static walk_fn *
walk_for(int dlt)
{
	return find_link(dlt)->walk;
}

decode_fn *
decode_for(int dlt)
{
	return find_link(dlt)->decode;
}

enum decode_status
decode_extra(int dlt, const uint8_t *octets, size_t caplen, size_t wirelen,
    struct packet *p, struct packet_extra *extra)
{
	struct frame f = frame_start(octets, caplen, wirelen, p);
	enum decode_status status;

	memset(extra, 0, sizeof(*extra));
	f.extra = extra;
	status = walk_for(dlt)(&f, p);
	if (status == DECODE_OK)
		extra_read(extra, f.r.p, rb_left(&f.r), p);
	return status;
}

int
decode_knows(int dlt)
{
	return decode_for(dlt) != decode_unknown;
}

const char *
decode_status_name(enum decode_status status)
{
	static const char *const name[DECODE_STATUSES] = {
		[DECODE_OK] = "packet",
		[DISCARD_LINK_TYPE] = "link-type",
		[DISCARD_SHORT_LINK] = "short-link",
		[DISCARD_SHORT_IP] = "short-ip",
		[DISCARD_ARP] = "arp",
		[DISCARD_LLC] = "llc",
		[DISCARD_PPP_CONTROL] = "ppp-control",
		[DISCARD_MPLS_PAYLOAD] = "mpls-payload",
		[DISCARD_WIFI_NOT_DATA] = "wifi-not-data",
		[DISCARD_WIFI_PROTECTED] = "wifi-protected",
		[DISCARD_ETHERTYPE] = "ethertype",
		[DISCARD_TOO_DEEP] = "too-deep",
		[DISCARD_IP_VERSION] = "ip-version",
		[DISCARD_IP_HEADER] = "ip-header",
		[DISCARD_IPV6_EXTENSIONS] = "ipv6-extensions",
	};

	return (unsigned)status < DECODE_STATUSES ? name[status] : "unknown";
}

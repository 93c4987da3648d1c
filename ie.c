/* SPDX-License-Identifier: ISC */
/*
 * ie.c - the Information Element table and what is made from it: templates,
 * Data Records and JSON.
 *
 * Numbers and names are IANA's ("IPFIX Information Elements"); the NetFlow v9
 * field types below 128 are the same.  A new element is one more row.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "bytes.h"
#include "flowkey.h"
#include "ie.h"
#include "record.h"
#include "text.h"

/* What a flow must have for a row to be in its template. */
enum {
	HAS_ANY = 0,
	HAS_V4 = 1,
	HAS_V6 = 2,
	HAS_ICMP = 4,
	HAS_VLAN = 8,
	HAS_MAC = 16,
	HAS_BIFLOW =
	    32, /* in a record of both directions, or of the one seen */
	HAS_REVERSE = 64, /* ... both: an element of the reverse half */
	HAS_MILLI = 128,  /* the unit of times */
	HAS_SEC = 256,
	HAS_MICRO = 512,
	HAS_NANO = 1024,
	HAS_ASKED = 2048, /* only chosen by name */
	HAS_DIRECTION = 4096,
	HAS_NAT = 8192,
	/* A record that lacks these has no such field, though it be chosen. */
	HAS_STRUCTURE = HAS_V4 | HAS_V6 | HAS_ICMP | HAS_BIFLOW | HAS_REVERSE |
			HAS_DIRECTION
};

/*
 * Rows of Options Templates have one of these for each kind they belong to,
 * and so are in no other Template; their field is in a struct option_record.
 */
#define OF(kind) (UINT32_C(1) << (16 + OPTION_##kind))
#define SCOPE (UINT32_C(1) << 31)
#define OF_ANY UINT32_C(0x80ff0000)

/* Rows chosen by name that need something filled, one of the NEED_ bits. */
#define NEED(what) ((uint32_t)NEED_##what << 24)
#define NEED_ANY UINT32_C(0x7f000000)
#define NEEDS(what) (HAS_ASKED | NEED(what))
#define STATISTICS (OF(EXPORTED) | OF(IGNORED))

#define REVERSE_PEN 29305 /* RFC 5103 s6.1 */
#define ENTERPRISE 0x8000U
#define IE_TOP_LABEL 70 /* the labels below it have the numbers after it */

/* How a value is shown in JSON. */
enum shape {
	SHAPE_NUMBER, /* of what is on the wire */
	SHAPE_TEXT,
	SHAPE_OCTETS,
	SHAPE_V4,
	SHAPE_V6,
	SHAPE_MAC,
	SHAPE_SEC,
	SHAPE_MILLI,
	SHAPE_MICRO,
	SHAPE_NANO
};

struct ie {
	uint16_t id;      /* IANA Information Element number; 0: zeroes */
	uint8_t len;      /* octets on the wire */
	uint8_t dialects; /* DIALECT_ bits */
	uint32_t has;     /* HAS_ bits, all needed; or OF() and SCOPE */
	uint8_t shape;    /* enum shape */
	uint16_t off;     /* the field inside struct export_record ... */
	uint8_t size;     /* ... and its octets */
	void (*put)(uint8_t *at, const struct ie *, const void *field,
	    uint64_t boot_ns);
	const char *name;
};

#define NS_PER_US UINT64_C(1000)
#define NTP_UNIX_S UINT64_C(2208988800) /* from 1900 to 1970 */

/* Write v in network byte order: of one length each, so that no loop runs. */
static inline void
store2(uint8_t *at, uint64_t v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static inline void
store4(uint8_t *at, uint64_t v)
{
	at[0] = (uint8_t)(v >> 24);
	at[1] = (uint8_t)(v >> 16);
	at[2] = (uint8_t)(v >> 8);
	at[3] = (uint8_t)v;
}

static inline void
store8(uint8_t *at, uint64_t v)
{
	store4(at, v >> 32);
	store4(at + 4, v);
}

static inline uint64_t
load(const void *field, size_t size)
{
	uint64_t v64;
	uint32_t v32;
	uint16_t v16;

	switch (size) {
	case 8:
		memcpy(&v64, field, 8);
		return v64;
	case 4:
		memcpy(&v32, field, 4);
		return v32;
	case 2:
		memcpy(&v16, field, 2);
		return v16;
	default:
		return *(const uint8_t *)field;
	}
}

/* Unsigned integers, their low octets (RFC 7011 s6.1.1, s6.2). */
static void
put_u8(uint8_t *at, const struct ie *ie, const void *f, uint64_t boot)
{
	(void)boot;
	at[0] = (uint8_t)load(f, ie->size);
}

static void
put_u16(uint8_t *at, const struct ie *ie, const void *f, uint64_t boot)
{
	(void)boot;
	store2(at, load(f, ie->size));
}

static void
put_u32(uint8_t *at, const struct ie *ie, const void *f, uint64_t boot)
{
	(void)boot;
	store4(at, load(f, ie->size));
}

static void
put_u64(uint8_t *at, const struct ie *ie, const void *f, uint64_t boot)
{
	(void)boot;
	store8(at, load(f, ie->size));
}

/* An ifIndex in 2 octets; one that does not fit is unknown, 0. */
static void
put_ifindex16(uint8_t *at, const struct ie *ie, const void *f, uint64_t boot)
{
	uint64_t v = load(f, 4);

	(void)ie;
	(void)boot;
	store2(at, v > UINT16_MAX ? 0 : v);
}

/* Octets as they stand: addresses (RFC 7011 s6.1.5, s6.1.2). */
static void
put_v4(uint8_t *at, const struct ie *ie, const void *f, uint64_t boot)
{
	(void)ie;
	(void)boot;
	memcpy(at, f, 4);
}

/* Text of the field's length, filled with zeroes. */
static void
put_text(uint8_t *at, const struct ie *ie, const void *f, uint64_t boot)
{
	(void)boot;
	memcpy(at, f, ie->len);
}

static void
put_v6(uint8_t *at, const struct ie *ie, const void *f, uint64_t boot)
{
	(void)ie;
	(void)boot;
	memcpy(at, f, 16);
}

static void
put_mac(uint8_t *at, const struct ie *ie, const void *f, uint64_t boot)
{
	(void)ie;
	(void)boot;
	memcpy(at, f, 6);
}

/* dateTimeMilliseconds (RFC 7011 s6.1.8); the field is ns since 1970 UTC. */
static void
put_ms(uint8_t *at, const struct ie *ie, const void *f, uint64_t boot)
{
	(void)ie;
	(void)boot;
	store8(at, load(f, 8) / NS_PER_MS);
}

/* dateTimeSeconds (RFC 7011 s6.1.7). */
static void
put_s(uint8_t *at, const struct ie *ie, const void *f, uint64_t boot)
{
	(void)ie;
	(void)boot;
	store4(at, load(f, 8) / NS_PER_S);
}

/*
 * A time of NTP: seconds since 1900 modulo 2^32, and 2^-32 parts of one in
 * `steps`.  Rounded up, so that who cuts off gets the unit he was sent.
 */
static void
put_ntp(uint8_t *at, uint64_t ns, uint64_t ns_per_unit, uint64_t step)
{
	uint64_t units = ns % NS_PER_S / ns_per_unit;
	uint64_t per_s = NS_PER_S / ns_per_unit;
	uint64_t fraction = ((units << 32) + per_s - 1) / per_s;

	store4(at, ns / NS_PER_S + NTP_UNIX_S);
	store4(at + 4, (fraction + step - 1) / step * step);
}

/* dateTimeMicroseconds (RFC 7011 s6.1.9): the 11 lowest bits are zero. */
static void
put_us(uint8_t *at, const struct ie *ie, const void *f, uint64_t boot)
{
	(void)ie;
	(void)boot;
	put_ntp(at, load(f, 8), NS_PER_US, 1U << 11);
}

/* dateTimeNanoseconds (RFC 7011 s6.1.10). */
static void
put_ns(uint8_t *at, const struct ie *ie, const void *f, uint64_t boot)
{
	(void)ie;
	(void)boot;
	put_ntp(at, load(f, 8), 1, 1);
}

/* Milliseconds of sysUptime (RFC 3954 s8, types 21 and 22), modulo 2^32. */
static void
put_uptime(uint8_t *at, const struct ie *ie, const void *f, uint64_t boot)
{
	(void)ie;
	store4(at, load(f, 8) / NS_PER_MS - boot / NS_PER_MS);
}

/* How long a flow was, in steps of ns_per_unit, from step to step. */
static uint64_t
duration(const void *f, uint64_t ns_per_unit)
{
	struct flow_half half;
	uint64_t n;

	memcpy(&half, f, sizeof(half));
	n = half.end_ns / ns_per_unit - half.start_ns / ns_per_unit;
	return n > UINT32_MAX ? UINT32_MAX : n;
}

static void
put_duration_ms(uint8_t *at, const struct ie *ie, const void *f, uint64_t boot)
{
	(void)ie;
	(void)boot;
	store4(at, duration(f, NS_PER_MS));
}

static void
put_duration_us(uint8_t *at, const struct ie *ie, const void *f, uint64_t boot)
{
	(void)ie;
	(void)boot;
	store4(at, duration(f, NS_PER_US));
}

/* Differentiated services code point: 6 bits of the class (RFC 2474 s3). */
static void
put_dscp(uint8_t *at, const struct ie *ie, const void *f, uint64_t boot)
{
	(void)boot;
	at[0] = (uint8_t)(load(f, ie->size) >> 2);
}

/* VLAN identifier and priority in a tag (IEEE 802.1Q s9.6). */
static void
put_tag_vlan(uint8_t *at, const struct ie *ie, const void *f, uint64_t boot)
{
	(void)boot;
	store2(at, load(f, ie->size) & 0x0fff);
}

static void
put_tag_priority(uint8_t *at, const struct ie *ie, const void *f, uint64_t boot)
{
	(void)boot;
	at[0] = (uint8_t)(load(f, ie->size) >> 13);
}

/* One entry of a label stack without its TTL, and the class in it. */
static void
put_label(uint8_t *at, const struct ie *ie, const void *f, uint64_t boot)
{
	(void)ie;
	(void)boot;
	memcpy(at, f, LABEL_LEN);
}

static void
put_label_class(uint8_t *at, const struct ie *ie, const void *f, uint64_t boot)
{
	(void)ie;
	(void)boot;
	at[0] = (uint8_t)(((const uint8_t *)f)[LABEL_LEN - 1] >> 1 & 7);
}

/* A flow label as NetFlow v9 has it (RFC 3954 s8, type 31). */
static void
put_u24(uint8_t *at, const struct ie *ie, const void *f, uint64_t boot)
{
	uint64_t v = load(f, ie->size);

	(void)boot;
	at[0] = (uint8_t)(v >> 16);
	store2(at + 1, v);
}

/* A length of a datagram in 2 octets (RFC 3954 s8, types 25 and 26). */
static void
put_length16(uint8_t *at, const struct ie *ie, const void *f, uint64_t boot)
{
	uint64_t v = load(f, ie->size);

	(void)boot;
	store2(at, v > UINT16_MAX ? UINT16_MAX : v);
}

/* flowDirection: 0 = ingress, 1 = egress. */
static void
put_direction(uint8_t *at, const struct ie *ie, const void *f, uint64_t boot)
{
	(void)boot;
	at[0] = load(f, ie->size) == DIRECTION_OUT;
}

static void
put_zero(uint8_t *at, const struct ie *ie, const void *f, uint64_t boot)
{
	(void)f;
	(void)boot;
	memset(at, 0, ie->len);
}

#define AT(f)                                                                  \
	offsetof(struct flow_record, f), sizeof(((struct flow_record *)0)->f)
#define XAT(f)                                                                 \
	offsetof(struct export_record, f),                                     \
	    sizeof(((struct export_record *)0)->f)
#define FWD(f) XAT(fwd.f)
#define REV(f) XAT(rev.f)
#define OPT(f)                                                                 \
	offsetof(struct option_record, f),                                     \
	    sizeof(((struct option_record *)0)->f)
#define EVENT(f)                                                               \
	offsetof(struct nat_event, f), sizeof(((struct nat_event *)0)->f)
#define NF1 DIALECT_NF1
#define NF5 DIALECT_NF5
#define NF15 (DIALECT_NF1 | DIALECT_NF5)
#define NF9 DIALECT_NF9
#define IPFIX DIALECT_IPFIX
#define BOTH (DIALECT_NF9 | DIALECT_IPFIX)

/* clang-format off */
static const struct ie ie_table[] = {
{   8,  4, BOTH,  HAS_V4,                  SHAPE_V4,     AT(src),           put_v4,    "sourceIPv4Address" },
{  12,  4, BOTH,  HAS_V4,                  SHAPE_V4,     AT(dst),           put_v4,    "destinationIPv4Address" },
{  27, 16, BOTH,  HAS_V6,                  SHAPE_V6,     AT(src),           put_v6,    "sourceIPv6Address" },
{  28, 16, BOTH,  HAS_V6,                  SHAPE_V6,     AT(dst),           put_v6,    "destinationIPv6Address" },
{   7,  2, BOTH,  HAS_ANY,                 SHAPE_NUMBER, AT(src_port),      put_u16,   "sourceTransportPort" },
{  11,  2, BOTH,  HAS_ANY,                 SHAPE_NUMBER, AT(dst_port),      put_u16,   "destinationTransportPort" },
{   4,  1, BOTH,  HAS_ANY,                 SHAPE_NUMBER, AT(protocol),      put_u8,    "protocolIdentifier" },
{  60,  1, BOTH,  HAS_ANY,                 SHAPE_NUMBER, AT(ip_version),    put_u8,    "ipVersion" },
{   5,  1, BOTH,  HAS_ANY,                 SHAPE_NUMBER, AT(fwd.tos),       put_u8,    "ipClassOfService" },
{ 136,  1, BOTH,  HAS_ANY,                 SHAPE_NUMBER, AT(end_reason),    put_u8,    "flowEndReason" },
{   6,  1, NF9,   HAS_ANY,                 SHAPE_NUMBER, AT(fwd.tcp_flags), put_u8,    "tcpControlBits" },
{   6,  2, IPFIX, HAS_ANY,                 SHAPE_NUMBER, AT(fwd.tcp_flags), put_u16,   "tcpControlBits" },
{  32,  2, BOTH,  HAS_V4 | HAS_ICMP,       SHAPE_NUMBER, AT(icmp),          put_u16,   "icmpTypeCodeIPv4" },
{ 139,  2, BOTH,  HAS_V6 | HAS_ICMP,       SHAPE_NUMBER, AT(icmp),          put_u16,   "icmpTypeCodeIPv6" },
{  58,  2, BOTH,  HAS_VLAN,                SHAPE_NUMBER, AT(vlan),          put_u16,   "vlanId" },
{  56,  6, BOTH,  HAS_MAC | NEED(MAC),             SHAPE_MAC,    AT(src_mac),       put_mac,   "sourceMacAddress" },
{  80,  6, BOTH,  HAS_MAC | NEED(MAC),             SHAPE_MAC,    AT(dst_mac),       put_mac,   "destinationMacAddress" },
{  10,  4, BOTH,  HAS_ANY,                 SHAPE_NUMBER, AT(fwd.ingress),   put_u32,   "ingressInterface" },
{  14,  4, BOTH,  HAS_ANY,                 SHAPE_NUMBER, AT(fwd.egress),    put_u32,   "egressInterface" },
{  61,  1, BOTH,  HAS_DIRECTION | NEED(DIRECTION), SHAPE_NUMBER, AT(fwd.direction), put_direction, "flowDirection" },
{   1,  8, BOTH,  HAS_ANY,                 SHAPE_NUMBER, AT(fwd.octets),    put_u64,   "octetDeltaCount" },
{   2,  8, BOTH,  HAS_ANY,                 SHAPE_NUMBER, AT(fwd.packets),   put_u64,   "packetDeltaCount" },
{  22,  4, NF9,   HAS_ANY,                 SHAPE_NUMBER, AT(fwd.start_ns),  put_uptime, "flowStartSysUpTime" },
{  21,  4, NF9,   HAS_ANY,                 SHAPE_NUMBER, AT(fwd.end_ns),    put_uptime, "flowEndSysUpTime" },
{ 152,  8, IPFIX, HAS_MILLI,               SHAPE_MILLI,  AT(fwd.start_ns),  put_ms,     "flowStartMilliseconds" },
{ 153,  8, IPFIX, HAS_MILLI,               SHAPE_MILLI,  AT(fwd.end_ns),    put_ms,     "flowEndMilliseconds" },
{ 150,  4, IPFIX, HAS_SEC,                 SHAPE_SEC,    AT(fwd.start_ns),  put_s,      "flowStartSeconds" },
{ 151,  4, IPFIX, HAS_SEC,                 SHAPE_SEC,    AT(fwd.end_ns),    put_s,      "flowEndSeconds" },
{ 154,  8, IPFIX, HAS_MICRO,               SHAPE_MICRO,  AT(fwd.start_ns),  put_us,     "flowStartMicroseconds" },
{ 155,  8, IPFIX, HAS_MICRO,               SHAPE_MICRO,  AT(fwd.end_ns),    put_us,     "flowEndMicroseconds" },
{ 156,  8, IPFIX, HAS_NANO,                SHAPE_NANO,   AT(fwd.start_ns),  put_ns,     "flowStartNanoseconds" },
{ 157,  8, IPFIX, HAS_NANO,                SHAPE_NANO,   AT(fwd.end_ns),    put_ns,     "flowEndNanoseconds" },

/* Only chosen by name.  Their reverses stand at the end of all. */
{  59,  2, BOTH,  HAS_ASKED,                             SHAPE_NUMBER, AT(vlan),                        put_u16,          "postVlanId" },
{ 243,  2, BOTH,  NEEDS(PACKETS),                        SHAPE_NUMBER, FWD(packet.tag[0]),              put_tag_vlan,     "dot1qVlanId" },
{ 244,  1, BOTH,  NEEDS(PACKETS),                        SHAPE_NUMBER, FWD(packet.tag[0]),              put_tag_priority, "dot1qPriority" },
{ 245,  2, BOTH,  NEEDS(PACKETS),                        SHAPE_NUMBER, FWD(packet.tag[1]),              put_tag_vlan,     "dot1qCustomerVlanId" },
{ 246,  1, BOTH,  NEEDS(PACKETS),                        SHAPE_NUMBER, FWD(packet.tag[1]),              put_tag_priority, "dot1qCustomerPriority" },
{  70,  3, BOTH,  NEEDS(PACKETS),                        SHAPE_OCTETS, FWD(packet.label[0]),            put_label,        "mplsTopLabelStackSection" },
{  71,  3, BOTH,  NEEDS(PACKETS),                        SHAPE_OCTETS, FWD(packet.label[1]),            put_label,        "mplsLabelStackSection2" },
{  72,  3, BOTH,  NEEDS(PACKETS),                        SHAPE_OCTETS, FWD(packet.label[2]),            put_label,        "mplsLabelStackSection3" },
{  73,  3, BOTH,  NEEDS(PACKETS),                        SHAPE_OCTETS, FWD(packet.label[3]),            put_label,        "mplsLabelStackSection4" },
{  74,  3, BOTH,  NEEDS(PACKETS),                        SHAPE_OCTETS, FWD(packet.label[4]),            put_label,        "mplsLabelStackSection5" },
{  75,  3, BOTH,  NEEDS(PACKETS),                        SHAPE_OCTETS, FWD(packet.label[5]),            put_label,        "mplsLabelStackSection6" },
{  76,  3, BOTH,  NEEDS(PACKETS),                        SHAPE_OCTETS, FWD(packet.label[6]),            put_label,        "mplsLabelStackSection7" },
{  77,  3, BOTH,  NEEDS(PACKETS),                        SHAPE_OCTETS, FWD(packet.label[7]),            put_label,        "mplsLabelStackSection8" },
{  78,  3, BOTH,  NEEDS(PACKETS),                        SHAPE_OCTETS, FWD(packet.label[8]),            put_label,        "mplsLabelStackSection9" },
{  79,  3, BOTH,  NEEDS(PACKETS),                        SHAPE_OCTETS, FWD(packet.label[9]),            put_label,        "mplsLabelStackSection10" },
{ 200,  1, BOTH,  NEEDS(PACKETS),                        SHAPE_NUMBER, FWD(packet.label_ttl),           put_u8,           "mplsTopLabelTTL" },
{ 202,  4, BOTH,  NEEDS(PACKETS),                        SHAPE_NUMBER, FWD(packet.labels),              put_u32,          "mplsLabelStackDepth" },
{ 203,  1, BOTH,  NEEDS(PACKETS),                        SHAPE_NUMBER, FWD(packet.label[0]),            put_label_class,  "mplsTopLabelExp" },
{  31,  3, NF9,   HAS_V6 | NEEDS(PACKETS),               SHAPE_NUMBER, FWD(packet.flow_label),          put_u24,          "flowLabelIPv6" },
{  31,  4, IPFIX, HAS_V6 | NEEDS(PACKETS),               SHAPE_NUMBER, FWD(packet.flow_label),          put_u32,          "flowLabelIPv6" },
{  52,  1, BOTH,  NEEDS(PACKETS),                        SHAPE_NUMBER, FWD(packet.ttl_min),             put_u8,           "minimumTTL" },
{  53,  1, BOTH,  NEEDS(PACKETS),                        SHAPE_NUMBER, FWD(packet.ttl_max),             put_u8,           "maximumTTL" },
{ 192,  1, BOTH,  NEEDS(PACKETS),                        SHAPE_NUMBER, FWD(packet.ttl),                 put_u8,           "ipTTL" },
{  25,  2, NF9,   NEEDS(PACKETS),                        SHAPE_NUMBER, FWD(packet.shortest),            put_length16,     "minimumIpTotalLength" },
{  25,  8, IPFIX, NEEDS(PACKETS),                        SHAPE_NUMBER, FWD(packet.shortest),            put_u64,          "minimumIpTotalLength" },
{  26,  2, NF9,   NEEDS(PACKETS),                        SHAPE_NUMBER, FWD(packet.longest),             put_length16,     "maximumIpTotalLength" },
{  26,  8, IPFIX, NEEDS(PACKETS),                        SHAPE_NUMBER, FWD(packet.longest),             put_u64,          "maximumIpTotalLength" },
{  54,  2, NF9,   HAS_V4 | NEEDS(PACKETS),               SHAPE_NUMBER, FWD(packet.fragment_id),         put_u16,          "fragmentIdentification" },
{  54,  4, NF9,   HAS_V6 | NEEDS(PACKETS),               SHAPE_NUMBER, FWD(packet.fragment_id),         put_u32,          "fragmentIdentification" },
{  54,  4, IPFIX, NEEDS(PACKETS),                        SHAPE_NUMBER, FWD(packet.fragment_id),         put_u32,          "fragmentIdentification" },
{ 197,  1, BOTH,  NEEDS(PACKETS),                        SHAPE_NUMBER, FWD(packet.fragment_flags),      put_u8,           "fragmentFlags" },
{ 208,  4, BOTH,  HAS_V4 | NEEDS(PACKETS),               SHAPE_NUMBER, FWD(packet.ip_options),          put_u32,          "ipv4Options" },
{  64,  4, BOTH,  HAS_V6 | NEEDS(PACKETS),               SHAPE_NUMBER, FWD(packet.ipv6_extensions),     put_u32,          "ipv6ExtensionHeaders" },
{ 209,  8, BOTH,  NEEDS(PACKETS),                        SHAPE_NUMBER, FWD(packet.tcp_options),         put_u64,          "tcpOptions" },
{ 184,  4, BOTH,  NEEDS(PACKETS),                        SHAPE_NUMBER, FWD(packet.tcp_sequence),        put_u32,          "tcpSequenceNumber" },
{ 185,  4, BOTH,  NEEDS(PACKETS),                        SHAPE_NUMBER, FWD(packet.tcp_acknowledgement), put_u32,          "tcpAcknowledgementNumber" },
{ 186,  2, BOTH,  NEEDS(PACKETS),                        SHAPE_NUMBER, FWD(packet.tcp_window),          put_u16,          "tcpWindowSize" },
{ 195,  1, BOTH,  HAS_ASKED,                             SHAPE_NUMBER, AT(fwd.tos),                     put_dscp,         "ipDiffServCodePoint" },
{ 161,  4, BOTH,  HAS_ASKED,                             SHAPE_NUMBER, AT(fwd),                         put_duration_ms,  "flowDurationMilliseconds" },
{ 162,  4, BOTH,  HAS_ASKED,                             SHAPE_NUMBER, AT(fwd),                         put_duration_us,  "flowDurationMicroseconds" },
{  85,  8, BOTH,  NEEDS(FLOW),                           SHAPE_NUMBER, FWD(octets_total),               put_u64,          "octetTotalCount" },
{  86,  8, BOTH,  NEEDS(FLOW),                           SHAPE_NUMBER, FWD(packets_total),              put_u64,          "packetTotalCount" },
{ 148,  8, BOTH,  NEEDS(FLOW),                           SHAPE_NUMBER, XAT(flow_id),                    put_u64,          "flowId" },
{ 252,  4, BOTH,  NEEDS(PORTS),                          SHAPE_NUMBER, FWD(ingress_port),               put_u32,          "ingressPhysicalInterface" },
{ 253,  4, BOTH,  NEEDS(PORTS),                          SHAPE_NUMBER, FWD(egress_port),                put_u32,          "egressPhysicalInterface" },
{  82, 16, BOTH,  NEEDS(INTERFACES),                     SHAPE_TEXT,   XAT(interface_name),             put_text,         "interfaceName" },
{  83, 64, BOTH,  NEEDS(INTERFACES),                     SHAPE_TEXT,   XAT(interface_description),      put_text,         "interfaceDescription" },
{  34,  4, BOTH,  NEEDS(SAMPLING),                       SHAPE_NUMBER, XAT(sampling_interval),          put_u32,          "samplingInterval" },
{  35,  1, BOTH,  NEEDS(SAMPLING),                       SHAPE_NUMBER, XAT(sampling_algorithm),         put_u8,           "samplingAlgorithm" },
{ 225,  4, BOTH,  HAS_V4 | HAS_NAT,                      SHAPE_V4,     XAT(post_src),                   put_v4,           "postNATSourceIPv4Address" },
{ 226,  4, BOTH,  HAS_V4 | HAS_NAT,                      SHAPE_V4,     XAT(post_dst),                   put_v4,           "postNATDestinationIPv4Address" },
{ 281, 16, BOTH,  HAS_V6 | HAS_NAT,                      SHAPE_V6,     XAT(post_src),                   put_v6,           "postNATSourceIPv6Address" },
{ 282, 16, BOTH,  HAS_V6 | HAS_NAT,                      SHAPE_V6,     XAT(post_dst),                   put_v6,           "postNATDestinationIPv6Address" },
{ 227,  2, BOTH,  HAS_NAT,                               SHAPE_NUMBER, XAT(post_src_port),              put_u16,          "postNAPTSourceTransportPort" },
{ 228,  2, BOTH,  HAS_NAT,                               SHAPE_NUMBER, XAT(post_dst_port),              put_u16,          "postNAPTDestinationTransportPort" },

/* Of biflows (RFC 5103). */
{ 239,  1, IPFIX, HAS_BIFLOW,              SHAPE_NUMBER, AT(biflow),        put_u8,    "biflowDirection" },
{   5,  1, IPFIX, HAS_REVERSE,             SHAPE_NUMBER, AT(rev.tos),       put_u8,    "reverseIpClassOfService" },
{   6,  2, IPFIX, HAS_REVERSE,             SHAPE_NUMBER, AT(rev.tcp_flags), put_u16,   "reverseTcpControlBits" },
{   1,  8, IPFIX, HAS_REVERSE,             SHAPE_NUMBER, AT(rev.octets),    put_u64,   "reverseOctetDeltaCount" },
{   2,  8, IPFIX, HAS_REVERSE,             SHAPE_NUMBER, AT(rev.packets),   put_u64,   "reversePacketDeltaCount" },
{ 152,  8, IPFIX, HAS_REVERSE | HAS_MILLI, SHAPE_MILLI,  AT(rev.start_ns),  put_ms,     "reverseFlowStartMilliseconds" },
{ 153,  8, IPFIX, HAS_REVERSE | HAS_MILLI, SHAPE_MILLI,  AT(rev.end_ns),    put_ms,     "reverseFlowEndMilliseconds" },
{ 150,  4, IPFIX, HAS_REVERSE | HAS_SEC,   SHAPE_SEC,    AT(rev.start_ns),  put_s,      "reverseFlowStartSeconds" },
{ 151,  4, IPFIX, HAS_REVERSE | HAS_SEC,   SHAPE_SEC,    AT(rev.end_ns),    put_s,      "reverseFlowEndSeconds" },
{ 154,  8, IPFIX, HAS_REVERSE | HAS_MICRO, SHAPE_MICRO,  AT(rev.start_ns),  put_us,     "reverseFlowStartMicroseconds" },
{ 155,  8, IPFIX, HAS_REVERSE | HAS_MICRO, SHAPE_MICRO,  AT(rev.end_ns),    put_us,     "reverseFlowEndMicroseconds" },
{ 156,  8, IPFIX, HAS_REVERSE | HAS_NANO,  SHAPE_NANO,   AT(rev.start_ns),  put_ns,     "reverseFlowStartNanoseconds" },
{ 157,  8, IPFIX, HAS_REVERSE | HAS_NANO,  SHAPE_NANO,   AT(rev.end_ns),    put_ns,     "reverseFlowEndNanoseconds" },
{ 243,  2, IPFIX, HAS_REVERSE | NEEDS(PACKETS),          SHAPE_NUMBER, REV(packet.tag[0]),              put_tag_vlan,     "reverseDot1qVlanId" },
{ 244,  1, IPFIX, HAS_REVERSE | NEEDS(PACKETS),          SHAPE_NUMBER, REV(packet.tag[0]),              put_tag_priority, "reverseDot1qPriority" },
{ 245,  2, IPFIX, HAS_REVERSE | NEEDS(PACKETS),          SHAPE_NUMBER, REV(packet.tag[1]),              put_tag_vlan,     "reverseDot1qCustomerVlanId" },
{ 246,  1, IPFIX, HAS_REVERSE | NEEDS(PACKETS),          SHAPE_NUMBER, REV(packet.tag[1]),              put_tag_priority, "reverseDot1qCustomerPriority" },
{  70,  3, IPFIX, HAS_REVERSE | NEEDS(PACKETS),          SHAPE_OCTETS, REV(packet.label[0]),            put_label,        "reverseMplsTopLabelStackSection" },
{  71,  3, IPFIX, HAS_REVERSE | NEEDS(PACKETS),          SHAPE_OCTETS, REV(packet.label[1]),            put_label,        "reverseMplsLabelStackSection2" },
{  72,  3, IPFIX, HAS_REVERSE | NEEDS(PACKETS),          SHAPE_OCTETS, REV(packet.label[2]),            put_label,        "reverseMplsLabelStackSection3" },
{  73,  3, IPFIX, HAS_REVERSE | NEEDS(PACKETS),          SHAPE_OCTETS, REV(packet.label[3]),            put_label,        "reverseMplsLabelStackSection4" },
{  74,  3, IPFIX, HAS_REVERSE | NEEDS(PACKETS),          SHAPE_OCTETS, REV(packet.label[4]),            put_label,        "reverseMplsLabelStackSection5" },
{  75,  3, IPFIX, HAS_REVERSE | NEEDS(PACKETS),          SHAPE_OCTETS, REV(packet.label[5]),            put_label,        "reverseMplsLabelStackSection6" },
{  76,  3, IPFIX, HAS_REVERSE | NEEDS(PACKETS),          SHAPE_OCTETS, REV(packet.label[6]),            put_label,        "reverseMplsLabelStackSection7" },
{  77,  3, IPFIX, HAS_REVERSE | NEEDS(PACKETS),          SHAPE_OCTETS, REV(packet.label[7]),            put_label,        "reverseMplsLabelStackSection8" },
{  78,  3, IPFIX, HAS_REVERSE | NEEDS(PACKETS),          SHAPE_OCTETS, REV(packet.label[8]),            put_label,        "reverseMplsLabelStackSection9" },
{  79,  3, IPFIX, HAS_REVERSE | NEEDS(PACKETS),          SHAPE_OCTETS, REV(packet.label[9]),            put_label,        "reverseMplsLabelStackSection10" },
{ 200,  1, IPFIX, HAS_REVERSE | NEEDS(PACKETS),          SHAPE_NUMBER, REV(packet.label_ttl),           put_u8,           "reverseMplsTopLabelTTL" },
{ 202,  4, IPFIX, HAS_REVERSE | NEEDS(PACKETS),          SHAPE_NUMBER, REV(packet.labels),              put_u32,          "reverseMplsLabelStackDepth" },
{ 203,  1, IPFIX, HAS_REVERSE | NEEDS(PACKETS),          SHAPE_NUMBER, REV(packet.label[0]),            put_label_class,  "reverseMplsTopLabelExp" },
{  31,  4, IPFIX, HAS_REVERSE | HAS_V6 | NEEDS(PACKETS), SHAPE_NUMBER, REV(packet.flow_label),          put_u32,          "reverseFlowLabelIPv6" },
{  52,  1, IPFIX, HAS_REVERSE | NEEDS(PACKETS),          SHAPE_NUMBER, REV(packet.ttl_min),             put_u8,           "reverseMinimumTTL" },
{  53,  1, IPFIX, HAS_REVERSE | NEEDS(PACKETS),          SHAPE_NUMBER, REV(packet.ttl_max),             put_u8,           "reverseMaximumTTL" },
{ 192,  1, IPFIX, HAS_REVERSE | NEEDS(PACKETS),          SHAPE_NUMBER, REV(packet.ttl),                 put_u8,           "reverseIpTTL" },
{  25,  8, IPFIX, HAS_REVERSE | NEEDS(PACKETS),          SHAPE_NUMBER, REV(packet.shortest),            put_u64,          "reverseMinimumIpTotalLength" },
{  26,  8, IPFIX, HAS_REVERSE | NEEDS(PACKETS),          SHAPE_NUMBER, REV(packet.longest),             put_u64,          "reverseMaximumIpTotalLength" },
{  54,  4, IPFIX, HAS_REVERSE | NEEDS(PACKETS),          SHAPE_NUMBER, REV(packet.fragment_id),         put_u32,          "reverseFragmentIdentification" },
{ 197,  1, IPFIX, HAS_REVERSE | NEEDS(PACKETS),          SHAPE_NUMBER, REV(packet.fragment_flags),      put_u8,           "reverseFragmentFlags" },
{ 208,  4, IPFIX, HAS_REVERSE | HAS_V4 | NEEDS(PACKETS), SHAPE_NUMBER, REV(packet.ip_options),          put_u32,          "reverseIpv4Options" },
{  64,  4, IPFIX, HAS_REVERSE | HAS_V6 | NEEDS(PACKETS), SHAPE_NUMBER, REV(packet.ipv6_extensions),     put_u32,          "reverseIpv6ExtensionHeaders" },
{ 209,  8, IPFIX, HAS_REVERSE | NEEDS(PACKETS),          SHAPE_NUMBER, REV(packet.tcp_options),         put_u64,          "reverseTcpOptions" },
{ 184,  4, IPFIX, HAS_REVERSE | NEEDS(PACKETS),          SHAPE_NUMBER, REV(packet.tcp_sequence),        put_u32,          "reverseTcpSequenceNumber" },
{ 185,  4, IPFIX, HAS_REVERSE | NEEDS(PACKETS),          SHAPE_NUMBER, REV(packet.tcp_acknowledgement), put_u32,          "reverseTcpAcknowledgementNumber" },
{ 186,  2, IPFIX, HAS_REVERSE | NEEDS(PACKETS),          SHAPE_NUMBER, REV(packet.tcp_window),          put_u16,          "reverseTcpWindowSize" },
{ 195,  1, IPFIX, HAS_REVERSE | HAS_ASKED,               SHAPE_NUMBER, AT(rev.tos),                     put_dscp,         "reverseIpDiffServCodePoint" },
{ 161,  4, IPFIX, HAS_REVERSE | HAS_ASKED,               SHAPE_NUMBER, AT(rev),                         put_duration_ms,  "reverseFlowDurationMilliseconds" },
{ 162,  4, IPFIX, HAS_REVERSE | HAS_ASKED,               SHAPE_NUMBER, AT(rev),                         put_duration_us,  "reverseFlowDurationMicroseconds" },
{  85,  8, IPFIX, HAS_REVERSE | NEEDS(FLOW),             SHAPE_NUMBER, REV(octets_total),               put_u64,          "reverseOctetTotalCount" },
{  86,  8, IPFIX, HAS_REVERSE | NEEDS(FLOW),             SHAPE_NUMBER, REV(packets_total),              put_u64,          "reversePacketTotalCount" },

/*
 * Options Templates.  The scope of NetFlow v9 is of a type of its own (RFC
 * 3954 s6.1): 1 is the system, 2 an interface.
 */
{   1,  4, NF9,   SCOPE | OF(SAMPLING) | OF(SAMPLER) | OF(EXPORTER) | STATISTICS | OF(NOT_SENT) | OF(SELECTED),
    SHAPE_NUMBER, OPT(domain), put_u32, "(system)" },
{   2,  4, NF9,   SCOPE | OF(INTERFACE), SHAPE_NUMBER, OPT(ifindex),
    put_u32, "(interface)" },
{ 149,  4, IPFIX, SCOPE | OF(EXPORTER) | STATISTICS, SHAPE_NUMBER, OPT(domain),
    put_u32, "observationDomainId" },
{ 143,  4, IPFIX, SCOPE | STATISTICS, SHAPE_NUMBER, OPT(metering_process),
    put_u32, "meteringProcessId" },
{ 144,  4, IPFIX, SCOPE | OF(NOT_SENT), SHAPE_NUMBER, OPT(exporting_process),
    put_u32, "exportingProcessId" },
{ 302,  8, IPFIX, SCOPE | OF(SAMPLING) | OF(SELECTED), SHAPE_NUMBER, OPT(selector),
    put_u64, "selectorId" },
{  10,  4, IPFIX, SCOPE | OF(INTERFACE), SHAPE_NUMBER, OPT(ifindex),
    put_u32, "ingressInterface" },
{ 304,  2, IPFIX, OF(SAMPLING), SHAPE_NUMBER, OPT(selector_algorithm),
    put_u16, "selectorAlgorithm" },
{ 305,  4, IPFIX, OF(SAMPLING), SHAPE_NUMBER, OPT(interval),
    put_u32, "samplingPacketInterval" },
{ 306,  4, IPFIX, OF(SAMPLING), SHAPE_NUMBER, OPT(spacing),
    put_u32, "samplingPacketSpace" },
{ 311,  8, IPFIX, OF(SAMPLING), SHAPE_NUMBER, OPT(probability),
    put_u64, "samplingProbability" },
{  34,  4, BOTH,  OF(SAMPLING), SHAPE_NUMBER, OPT(one_in),
    put_u32, "samplingInterval" },
{  35,  1, BOTH,  OF(SAMPLING), SHAPE_NUMBER, OPT(sampling_algorithm),
    put_u8, "samplingAlgorithm" },
{  48,  1, NF9,   OF(SAMPLER), SHAPE_NUMBER, OPT(selector),
    put_u8, "samplerId" },
{  49,  1, NF9,   OF(SAMPLER), SHAPE_NUMBER, OPT(sampling_algorithm),
    put_u8, "samplerMode" },
{  50,  4, NF9,   OF(SAMPLER), SHAPE_NUMBER, OPT(one_in),
    put_u32, "samplerRandomInterval" },
{  82, 16, BOTH,  OF(INTERFACE), SHAPE_TEXT, OPT(interface_name),
    put_text, "interfaceName" },
{  83, 64, BOTH,  OF(INTERFACE), SHAPE_TEXT, OPT(interface_description),
    put_text, "interfaceDescription" },
{ 143,  4, BOTH,  OF(EXPORTER), SHAPE_NUMBER, OPT(metering_process),
    put_u32, "meteringProcessId" },
{ 144,  4, BOTH,  OF(EXPORTER), SHAPE_NUMBER, OPT(exporting_process),
    put_u32, "exportingProcessId" },
{ 160,  8, BOTH,  OF(EXPORTER), SHAPE_MILLI, OPT(init_ns),
    put_ms, "systemInitTimeMilliseconds" },
{ 130,  4, BOTH,  OF(EXPORTER), SHAPE_V4, OPT(exporter_v4),
    put_v4, "exporterIPv4Address" },
{ 131, 16, BOTH,  OF(EXPORTER), SHAPE_V6, OPT(exporter_v6),
    put_v6, "exporterIPv6Address" },
/* Where a mediator stands between, 130 and 131 may become its own. */
{ 403,  4, IPFIX, OF(EXPORTER), SHAPE_V4, OPT(exporter_v4),
    put_v4, "originalExporterIPv4Address" },
{ 404, 16, IPFIX, OF(EXPORTER), SHAPE_V6, OPT(exporter_v6),
    put_v6, "originalExporterIPv6Address" },
{  41,  8, BOTH,  OF(EXPORTED), SHAPE_NUMBER, OPT(exported_messages),
    put_u64, "exportedMessageTotalCount" },
{  42,  8, BOTH,  OF(EXPORTED), SHAPE_NUMBER, OPT(exported_records),
    put_u64, "exportedFlowRecordTotalCount" },
{  40,  8, BOTH,  OF(EXPORTED), SHAPE_NUMBER, OPT(exported_octets),
    put_u64, "exportedOctetTotalCount" },
{ 164,  8, BOTH,  OF(IGNORED), SHAPE_NUMBER, OPT(ignored_packets),
    put_u64, "ignoredPacketTotalCount" },
{ 165,  8, BOTH,  OF(IGNORED), SHAPE_NUMBER, OPT(ignored_octets),
    put_u64, "ignoredOctetTotalCount" },
{ 135,  8, BOTH,  OF(IGNORED), SHAPE_NUMBER, OPT(dropped_packets),
    put_u64, "droppedPacketTotalCount" },
{ 323,  8, BOTH,  OF(IGNORED), SHAPE_MILLI, OPT(ignored_span.first_ns),
    put_ms, "observationTimeMilliseconds" },
{ 323,  8, BOTH,  OF(IGNORED), SHAPE_MILLI, OPT(ignored_span.last_ns),
    put_ms, "observationTimeMilliseconds" },
{ 166,  8, BOTH,  OF(NOT_SENT), SHAPE_NUMBER, OPT(not_sent_records),
    put_u64, "notSentFlowTotalCount" },
{ 167,  8, BOTH,  OF(NOT_SENT), SHAPE_NUMBER, OPT(not_sent_packets),
    put_u64, "notSentPacketTotalCount" },
{ 168,  8, BOTH,  OF(NOT_SENT), SHAPE_NUMBER, OPT(not_sent_octets),
    put_u64, "notSentOctetTotalCount" },
{ 323,  8, BOTH,  OF(NOT_SENT), SHAPE_MILLI, OPT(not_sent_span.first_ns),
    put_ms, "observationTimeMilliseconds" },
{ 323,  8, BOTH,  OF(NOT_SENT), SHAPE_MILLI, OPT(not_sent_span.last_ns),
    put_ms, "observationTimeMilliseconds" },
{ 318,  8, BOTH,  OF(SELECTED), SHAPE_NUMBER, OPT(observed_packets),
    put_u64, "selectorIdTotalPktsObserved" },
{ 319,  8, BOTH,  OF(SELECTED), SHAPE_NUMBER, OPT(selected_packets),
    put_u64, "selectorIdTotalPktsSelected" },
};

/* The records of NAT events (RFC 8158 s5.6), field by field. */
static const struct ie event_table[] = {
{ 323,  8, BOTH,  HAS_ANY, SHAPE_MILLI,  EVENT(time_ns),                  put_ms,  "observationTimeMilliseconds" },
{ 230,  1, BOTH,  HAS_ANY, SHAPE_NUMBER, EVENT(event),                    put_u8,  "natEvent" },
{   8,  4, BOTH,  HAS_V4,  SHAPE_V4,     EVENT(connection.flow.src),      put_v4,  "sourceIPv4Address" },
{ 225,  4, BOTH,  HAS_V4,  SHAPE_V4,     EVENT(connection.post_src),      put_v4,  "postNATSourceIPv4Address" },
{  27, 16, BOTH,  HAS_V6,  SHAPE_V6,     EVENT(connection.flow.src),      put_v6,  "sourceIPv6Address" },
{ 281, 16, BOTH,  HAS_V6,  SHAPE_V6,     EVENT(connection.post_src),      put_v6,  "postNATSourceIPv6Address" },
{   4,  1, BOTH,  HAS_ANY, SHAPE_NUMBER, EVENT(connection.flow.protocol), put_u8,  "protocolIdentifier" },
{   7,  2, BOTH,  HAS_ANY, SHAPE_NUMBER, EVENT(connection.flow.src_port), put_u16, "sourceTransportPort" },
{ 227,  2, BOTH,  HAS_ANY, SHAPE_NUMBER, EVENT(connection.post_src_port), put_u16, "postNAPTSourceTransportPort" },
{  12,  4, BOTH,  HAS_V4,  SHAPE_V4,     EVENT(connection.flow.dst),      put_v4,  "destinationIPv4Address" },
{ 226,  4, BOTH,  HAS_V4,  SHAPE_V4,     EVENT(connection.post_dst),      put_v4,  "postNATDestinationIPv4Address" },
{  28, 16, BOTH,  HAS_V6,  SHAPE_V6,     EVENT(connection.flow.dst),      put_v6,  "destinationIPv6Address" },
{ 282, 16, BOTH,  HAS_V6,  SHAPE_V6,     EVENT(connection.post_dst),      put_v6,  "postNATDestinationIPv6Address" },
{  11,  2, BOTH,  HAS_ANY, SHAPE_NUMBER, EVENT(connection.flow.dst_port), put_u16, "destinationTransportPort" },
{ 228,  2, BOTH,  HAS_ANY, SHAPE_NUMBER, EVENT(connection.post_dst_port), put_u16, "postNAPTDestinationTransportPort" },
};

/* The records of NetFlow v1 and v5, field by field. */
static const struct ie fixed_table[] = {
{   8,  4, NF15,  HAS_V4,   SHAPE_V4,     AT(src),           put_v4,    "srcaddr" },
{  12,  4, NF15,  HAS_V4,   SHAPE_V4,     AT(dst),           put_v4,    "dstaddr" },
{   0,  4, NF15,  HAS_ANY,  SHAPE_V4,     0, 0,              put_zero,   "nexthop" },
{  10,  2, NF15,  HAS_ANY,  SHAPE_NUMBER, AT(fwd.ingress),   put_ifindex16, "input" },
{  14,  2, NF15,  HAS_ANY,  SHAPE_NUMBER, AT(fwd.egress),    put_ifindex16, "output" },
{   2,  4, NF15,  HAS_ANY,  SHAPE_NUMBER, AT(fwd.packets),   put_u32,   "dPkts" },
{   1,  4, NF15,  HAS_ANY,  SHAPE_NUMBER, AT(fwd.octets),    put_u32,   "dOctets" },
{  22,  4, NF15,  HAS_ANY,  SHAPE_NUMBER, AT(fwd.start_ns),  put_uptime, "First" },
{  21,  4, NF15,  HAS_ANY,  SHAPE_NUMBER, AT(fwd.end_ns),    put_uptime, "Last" },
{   7,  2, NF15,  HAS_ANY,  SHAPE_NUMBER, AT(src_port),      put_u16,   "srcport" },
{  11,  2, NF15,  HAS_ANY,  SHAPE_NUMBER, AT(dst_port),      put_u16,   "dstport" },
{   0,  1, NF5,   HAS_ANY,  SHAPE_NUMBER, 0, 0,              put_zero,   "pad1" },
{   6,  1, NF5,   HAS_ANY,  SHAPE_NUMBER, AT(fwd.tcp_flags), put_u8,    "tcp_flags" },
{   0,  2, NF1,   HAS_ANY,  SHAPE_NUMBER, 0, 0,              put_zero,   "pad1" },
{   4,  1, NF15,  HAS_ANY,  SHAPE_NUMBER, AT(protocol),      put_u8,    "prot" },
{   5,  1, NF15,  HAS_ANY,  SHAPE_NUMBER, AT(fwd.tos),       put_u8,    "tos" },
{   6,  1, NF1,   HAS_ANY,  SHAPE_NUMBER, AT(fwd.tcp_flags), put_u8,    "flags" },
{   0,  7, NF1,   HAS_ANY,  SHAPE_NUMBER, 0, 0,              put_zero,   "pad2" },
{   0,  8, NF5,   HAS_ANY,  SHAPE_NUMBER, 0, 0,              put_zero,   "AS numbers, masks, pad2" },
};
/* clang-format on */

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

static_assert(ROWS(ie_table) <= TEMPLATE_FIELDS_MAX &&
		  TEMPLATE_FIELDS_MAX <= FIELD_WORDS * 64,
    "a template holds every row, a choice has a bit for it");

/* RFC 7011 s3.2: an enterprise-specific element names its enterprise. */
static bool
is_enterprise(const struct ie *ie)
{
	return (ie->has & HAS_REVERSE) != 0;
}

static void
template_begin(struct template *t, uint16_t id)
{
	*t = (struct template){ .id = id, .template_len = 4 };
}

static void
template_row(struct template *t, const struct ie *ie)
{
	t->field[t->nfields++] = ie;
	t->template_len =
	    (uint16_t)(t->template_len + (is_enterprise(ie) ? 8 : 4));
	t->record_len = (uint16_t)(t->record_len + ie->len);
}

static unsigned
flavour_has(unsigned flavour)
{
	return (flavour & FLAVOUR_V6 ? HAS_V6 : HAS_V4) |
	       (flavour & FLAVOUR_ICMP ? HAS_ICMP : 0U) |
	       (flavour & FLAVOUR_VLAN ? HAS_VLAN : 0U) |
	       (flavour & FLAVOUR_REVERSE ? HAS_REVERSE : 0U) |
	       (flavour & FLAVOUR_DIRECTION ? HAS_DIRECTION : 0U);
}

static unsigned
choice_has(const struct field_choice *choice)
{
	static const unsigned unit[TIME_UNITS] = {
		[UNIT_MILLI] = HAS_MILLI,
		[UNIT_SEC] = HAS_SEC,
		[UNIT_MICRO] = HAS_MICRO,
		[UNIT_NANO] = HAS_NANO,
	};

	return (choice->mac ? HAS_MAC : 0U) |
	       (choice->biflow ? HAS_BIFLOW : 0U) |
	       (choice->nat ? HAS_NAT : 0U) | unit[choice->unit];
}

/* Fields chosen by name ------------------------------------------------- */

static inline bool
row_bit(const uint64_t words[FIELD_WORDS], size_t row)
{
	return words[row / 64] >> row % 64 & 1;
}

static void
set_row_bit(uint64_t words[FIELD_WORDS], size_t row, bool value)
{
	uint64_t bit = UINT64_C(1) << row % 64;

	words[row / 64] =
	    value ? words[row / 64] | bit : words[row / 64] & ~bit;
}

/*
 * Whether a record that has all of `has` has this row.  What is chosen by
 * name is there whether or not there is something to tell.
 */
static bool
row_chosen(size_t row, uint32_t has, const struct field_choice *choice)
{
	uint32_t lacks = ie_table[row].has & ~(has | NEED_ANY);

	if (row_bit(choice->on, row))
		lacks &= HAS_STRUCTURE;
	return lacks == 0 && !row_bit(choice->off, row);
}

/* Whether a row goes by this name: its own, or that of its forward twin. */
static bool
row_is_named(const struct ie *ie, const char *name)
{
	const char *own = ie->name;
	const size_t prefix = strlen("reverse");

	if (ie->has & OF_ANY)
		return false;
	if (strcmp(own, name) == 0)
		return true;
	return (ie->has & HAS_REVERSE) != 0 &&
	       tolower((unsigned char)own[prefix]) == name[0] &&
	       strcmp(own + prefix + 1, name + 1) == 0;
}

bool
field_choose(struct field_choice *choice, const char *name, bool on)
{
	bool found = false;

	for (size_t row = 0; row < ROWS(ie_table); row++) {
		if (name[0] == '\0' || !row_is_named(&ie_table[row], name))
			continue;
		set_row_bit(choice->on, row, on);
		set_row_bit(choice->off, row, !on);
		found = true;
	}
	return found;
}

void
field_choose_labels(struct field_choice *choice, unsigned n)
{
	for (size_t row = 0; row < ROWS(ie_table); row++) {
		uint16_t id = ie_table[row].id;

		if (id >= IE_TOP_LABEL && id < IE_TOP_LABEL + LABELS_MAX &&
		    !(ie_table[row].has & OF_ANY))
			set_row_bit(choice->on, row, id < IE_TOP_LABEL + n);
	}
}

unsigned
field_needs(const struct field_choice *choice)
{
	unsigned needs = choice->nat ? NEED_NAT : 0;

	for (size_t row = 0; row < ROWS(ie_table); row++)
		if (row_bit(choice->on, row))
			needs |= (ie_table[row].has & NEED_ANY) >> 24 |
				 (ie_table[row].has & HAS_NAT ? NEED_NAT : 0U);
	return needs;
}

bool
field_left_out(const struct field_choice *choice, const char *name)
{
	for (size_t row = 0; row < ROWS(ie_table); row++)
		if (row_bit(choice->off, row) &&
		    row_is_named(&ie_table[row], name))
			return true;
	return false;
}

bool
field_any(const struct field_choice *choice)
{
	uint64_t any = 0;

	for (size_t i = 0; i < FIELD_WORDS; i++)
		any |= choice->on[i] | choice->off[i];
	return any != 0;
}

/* Whether some record of a dialect has an element of this name. */
static bool
has_place(
    const char *name, const struct field_choice *choice, enum dialect_bit bit)
{
	for (size_t row = 0; row < ROWS(ie_table); row++) {
		const struct ie *ie = &ie_table[row];

		if (!(ie->has & OF_ANY) && (ie->dialects & bit) &&
		    strcmp(ie->name, name) == 0 &&
		    (choice->biflow || !(ie->has & (HAS_BIFLOW | HAS_REVERSE))))
			return true;
	}
	return false;
}

/* Whether it is a reverse element that was chosen with its forward twin. */
static bool
came_along(const struct ie *ie, const struct field_choice *choice)
{
	for (size_t row = 0; row < ROWS(ie_table); row++)
		if (row_bit(choice->on, row) &&
		    ie->name != ie_table[row].name && (ie->has & HAS_REVERSE) &&
		    !(ie_table[row].has & HAS_REVERSE) &&
		    row_is_named(ie, ie_table[row].name))
			return true;
	return false;
}

const char *
field_misfit(const struct field_choice *choice, enum dialect_bit bit)
{
	for (size_t row = 0; row < ROWS(ie_table); row++) {
		const struct ie *ie = &ie_table[row];

		if (row_bit(choice->on, row) &&
		    !has_place(ie->name, choice, bit) &&
		    !came_along(ie, choice))
			return ie->name;
	}
	return NULL;
}

const char *
field_name(size_t *row)
{
	while (*row < ROWS(ie_table)) {
		const struct ie *ie = &ie_table[(*row)++];

		if (!(ie->has & OF_ANY))
			return ie->name;
	}
	return NULL;
}

unsigned
template_all(
    struct template *t, enum dialect_bit bit, const struct field_choice *choice)
{
	unsigned possible = (TEMPLATES - 1) |
			    (choice->biflow ? FLAVOUR_REVERSE : 0U) |
			    (choice->direction ? FLAVOUR_DIRECTION : 0U);

	for (unsigned i = 0; i <= possible; i++) {
		unsigned has = flavour_has(i) | choice_has(choice);

		template_begin(&t[i], 0);
		if ((i & ~possible) != 0)
			continue;
		t[i].id = (uint16_t)(256 + i);
		for (size_t row = 0; row < ROWS(ie_table); row++)
			if ((ie_table[row].dialects & bit) &&
			    row_chosen(row, has, choice))
				template_row(&t[i], &ie_table[row]);
	}
	return possible + 1;
}

bool
template_option(struct template *t, enum option_kind kind, enum dialect_bit bit)
{
	uint32_t of = UINT32_C(1) << (16 + kind);

	template_begin(t, (uint16_t)(512 + kind));
	t->template_len = 6; /* one more count */
	for (size_t row = 0; row < ROWS(ie_table); row++) {
		const struct ie *ie = &ie_table[row];

		if (!(ie->dialects & bit) || !(ie->has & of))
			continue;
		template_row(t, ie);
		if (ie->has & SCOPE)
			t->nscope++;
	}
	return t->nfields > t->nscope;
}

void
option_sampling(struct option_record *o, const struct sampling *s)
{
	/* RFC 5477 s8.2.1: count-based, uniform probabilistic, CRC. */
	static const uint16_t algorithm[] = {
		[SAMPLING_SYSTEMATIC] = 1,
		[SAMPLING_RANDOM] = 4,
		[SAMPLING_HASH] = 8,
	};

	o->selector = 1;
	o->selector_algorithm = algorithm[s->mode];
	o->sampling_algorithm = s->mode == SAMPLING_SYSTEMATIC ? 1 : 2;
	o->one_in = s->interval;
	o->interval = 1;
	o->spacing = s->interval - 1;
	o->probability = 1.0 / s->interval;
}

void
option_interface(struct option_record *o, uint32_t ifindex, const char *name,
    const char *description)
{
	*o = (struct option_record){ .ifindex = ifindex };
	/* RFC 7011 s6.1.6: UTF-8, also where the system's names are not. */
	text_clean(o->interface_name, sizeof(o->interface_name), name);
	text_clean(o->interface_description, sizeof(o->interface_description),
	    description);
}

void
template_event(struct template *t, unsigned v6)
{
	uint32_t has = v6 ? HAS_V6 : HAS_V4;

	template_begin(t, (uint16_t)(768 + v6));
	for (size_t row = 0; row < ROWS(event_table); row++)
		if ((event_table[row].has & ~has) == 0)
			template_row(t, &event_table[row]);
}

void
template_fixed(struct template *t, enum dialect_bit bit)
{
	template_begin(t, 0);
	for (size_t row = 0; row < ROWS(fixed_table); row++)
		if (fixed_table[row].dialects & bit)
			template_row(t, &fixed_table[row]);
}

unsigned
template_flavour(const struct flow_record *r)
{
	return (r->ip_version == 6 ? FLAVOUR_V6 : 0U) |
	       (protocol_is_icmp(r->protocol) ? FLAVOUR_ICMP : 0U) |
	       (r->vlan != 0 ? FLAVOUR_VLAN : 0U) |
	       (r->biflow && r->rev.packets != 0 ? FLAVOUR_REVERSE : 0U) |
	       (r->fwd.direction != 0 ? FLAVOUR_DIRECTION : 0U);
}

/* How many fields there are, and of an Options Template how many are scope. */
static void
put_counts(const struct template *t, enum dialect_bit bit, struct wbuf *w)
{
	if (t->nscope != 0 && bit == DIALECT_NF9) { /* octets; scope first */
		wb_u16(w, (uint16_t)(t->nscope * 4));
		wb_u16(w, (uint16_t)((t->nfields - t->nscope) * 4));
		return;
	}
	wb_u16(w, t->nfields);
	if (t->nscope != 0)
		wb_u16(w, t->nscope);
}

void
template_put(const struct template *t, enum dialect_bit bit, struct wbuf *w)
{
	wb_u16(w, t->id);
	put_counts(t, bit, w);
	for (unsigned i = 0; i < t->nfields; i++) {
		const struct ie *ie = t->field[i];
		bool enterprise = is_enterprise(ie);

		wb_u16(w, (uint16_t)(ie->id | (enterprise ? ENTERPRISE : 0U)));
		wb_u16(w, ie->len);
		if (enterprise)
			wb_u32(w, REVERSE_PEN);
	}
}

void
record_put(const struct template *t, struct wbuf *w, const void *record,
    uint64_t boot_ns)
{
	/* One check for the whole record: its length is its fields' sum. */
	uint8_t *at = wb_take(w, t->record_len);
	const uint8_t *base = record;

	if (at == NULL)
		return;
	for (unsigned i = 0; i < t->nfields; i++) {
		const struct ie *ie = t->field[i];

		ie->put(at, ie, base + ie->off, boot_ns);
		at += ie->len;
	}
}

/* The unit that the element's name says, and what the capture had below. */
static void
json_time(FILE *out, uint64_t ns, uint64_t ns_per_unit, int digits)
{
	fprintf(out, "%" PRIu64 ".%0*" PRIu64, ns / ns_per_unit, digits,
	    ns % ns_per_unit);
}

/* The number that the element has on the wire. */
static uint64_t
wire_number(const struct ie *ie, const uint8_t *f)
{
	uint8_t octets[8];
	uint64_t v = 0;

	ie->put(octets, ie, f, 0);
	for (size_t i = 0; i < ie->len; i++)
		v = v << 8 | octets[i];
	return v;
}

static void
octets_value(FILE *out, const uint8_t *f, size_t len, const char *quote)
{
	fprintf(out, "%s0x", quote);
	for (size_t i = 0; i < len; i++)
		fprintf(out, "%02x", f[i]);
	fputs(quote, out);
}

/* Write a value as JSON has it, or else as CSV does. */
static void
write_value(FILE *out, const struct ie *ie, const uint8_t *f, bool json)
{
	const char *quote = json ? "\"" : "";
	char text[INET6_ADDRSTRLEN];

	switch (ie->shape) {
	case SHAPE_V4:
	case SHAPE_V6:
		inet_ntop(ie->shape == SHAPE_V4 ? AF_INET : AF_INET6, f, text,
		    sizeof(text));
		fprintf(out, "%s%s%s", quote, text, quote);
		break;
	case SHAPE_MAC:
		fprintf(out, "%s%02x:%02x:%02x:%02x:%02x:%02x%s", quote, f[0],
		    f[1], f[2], f[3], f[4], f[5], quote);
		break;
	case SHAPE_TEXT:
		(json ? text_json : text_csv)(out, (const char *)f);
		break;
	case SHAPE_OCTETS:
		octets_value(out, f, ie->len, quote);
		break;
	case SHAPE_SEC:
		json_time(out, load(f, ie->size), NS_PER_S, 9);
		break;
	case SHAPE_MILLI:
		json_time(out, load(f, ie->size), NS_PER_MS, 6);
		break;
	case SHAPE_MICRO:
		json_time(out, load(f, ie->size), NS_PER_US, 3);
		break;
	case SHAPE_NANO:
		fprintf(out, "%" PRIu64, load(f, ie->size));
		break;
	default:
		fprintf(out, "%" PRIu64, wire_number(ie, f));
	}
}

/* What a record has that is printed: HAS_ bits. */
static uint32_t
record_has(const struct flow_record *r, const struct field_choice *choice)
{
	static const uint8_t none[6];
	uint32_t has = flavour_has(template_flavour(r)) | choice_has(choice);

	if (memcmp(r->src_mac, none, 6) != 0 ||
	    memcmp(r->dst_mac, none, 6) != 0)
		has |= HAS_MAC;
	return has;
}

/* Whether a record that has all of `has` is printed with a row. */
static bool
row_fits(size_t row, uint32_t has, const struct flow_record *r,
    const struct field_choice *choice)
{
	const struct ie *ie = &ie_table[row];

	if (!(ie->dialects & DIALECT_IPFIX) || !row_chosen(row, has, choice))
		return false;
	/* The cache may have kept nothing that could be told. */
	return r->extra != NULL ||
	       !(ie->has & (NEED(FLOW) | NEED(PACKETS) | NEED(PORTS)));
}

void
record_json(
    FILE *out, const struct export_record *r, const struct field_choice *choice)
{
	uint32_t has = record_has(&r->flow, choice);
	const char *separator = "{";

	for (size_t row = 0; row < ROWS(ie_table); row++) {
		const struct ie *ie = &ie_table[row];

		if (!row_fits(row, has, &r->flow, choice))
			continue;
		fprintf(out, "%s\"%s\":", separator, ie->name);
		write_value(out, ie, (const uint8_t *)r + ie->off, true);
		separator = ",";
	}
	fputs("}\n", out);
}

/* Whether records of any kind have this row: it is a column of CSV. */
static bool
row_is_column(size_t row, const struct field_choice *choice)
{
	unsigned has = HAS_V4 | HAS_V6 | HAS_ICMP | HAS_VLAN |
		       (choice->biflow ? HAS_REVERSE : 0U) |
		       (choice->direction ? HAS_DIRECTION : 0U) |
		       choice_has(choice);

	return (ie_table[row].dialects & DIALECT_IPFIX) != 0 &&
	       row_chosen(row, has, choice);
}

void
record_csv_titles(FILE *out, const struct field_choice *choice)
{
	const char *separator = "";

	for (size_t row = 0; row < ROWS(ie_table); row++) {
		if (!row_is_column(row, choice))
			continue;
		fprintf(out, "%s%s", separator, ie_table[row].name);
		separator = ",";
	}
	fputs("\r\n", out);
}

void
record_csv(
    FILE *out, const struct export_record *r, const struct field_choice *choice)
{
	uint32_t has = record_has(&r->flow, choice);
	const char *separator = "";

	for (size_t row = 0; row < ROWS(ie_table); row++) {
		const struct ie *ie = &ie_table[row];

		if (!row_is_column(row, choice))
			continue;
		fputs(separator, out);
		if (row_fits(row, has, &r->flow, choice))
			write_value(
			    out, ie, (const uint8_t *)r + ie->off, false);
		separator = ",";
	}
	fputs("\r\n", out);
}

/* Whether packets of a record leave with other addresses or ports. */
static bool
is_translated(const struct export_record *r)
{
	const struct flow_record *flow = &r->flow;

	return flow->nat != NULL &&
	       (memcmp(r->post_src, flow->src, sizeof(r->post_src)) != 0 ||
		   memcmp(r->post_dst, flow->dst, sizeof(r->post_dst)) != 0 ||
		   r->post_src_port != flow->src_port ||
		   r->post_dst_port != flow->dst_port);
}

void
record_chosen(
    FILE *out, const struct export_record *r, const struct field_choice *choice)
{
	uint32_t has = record_has(&r->flow, choice);

	for (size_t row = 0; row < ROWS(ie_table); row++) {
		const struct ie *ie = &ie_table[row];

		if (!(row_bit(choice->on, row) ||
			((ie->has & HAS_NAT) && is_translated(r))) ||
		    !row_fits(row, has, &r->flow, choice))
			continue;
		fprintf(out, " %s=", ie->name);
		write_value(out, ie, (const uint8_t *)r + ie->off, true);
	}
}

/* How an element gets into flow records: by default, if chosen, or never. */
static char
list_mark(const struct ie *ie)
{
	if (ie->has & OF_ANY)
		return ' ';
	return ie->has & (HAS_ASKED | HAS_MAC | HAS_BIFLOW | HAS_SEC |
			     HAS_MICRO | HAS_NANO | HAS_REVERSE | HAS_NAT)
		   ? '+'
		   : '*';
}

void
ie_list(FILE *out)
{
	fputs("number octets formats     name\n", out);
	for (size_t row = 0; row < ROWS(ie_table); row++) {
		const struct ie *ie = &ie_table[row];

		fprintf(out, "%6u %6u %-2s %-6s %c %s\n", ie->id, ie->len,
		    ie->dialects & NF9 ? "v9" : "",
		    ie->dialects & IPFIX ? "IPFIX" : "", list_mark(ie),
		    ie->name);
	}
}

void
record_reverse(const struct flow_record *in, struct flow_record *out)
{
	*out = *in;
	memcpy(out->src, in->dst, sizeof(out->src));
	memcpy(out->dst, in->src, sizeof(out->dst));
	memcpy(out->src_mac, in->dst_mac, sizeof(out->src_mac));
	memcpy(out->dst_mac, in->src_mac, sizeof(out->dst_mac));
	if (!protocol_is_icmp(in->protocol)) { /* type and code are no ports */
		out->src_port = in->dst_port;
		out->dst_port = in->src_port;
	}
	out->fwd = in->rev;
	out->rev = in->fwd;
	out->turned = !in->turned;
}

/* What the cache keeps beside the flow, as the record's direction sees it. */
static void
fill_extra(struct export_record *x, const struct field_choice *choice)
{
	const struct flow_extra *extra = x->flow.extra;
	bool turned = x->flow.turned;

	x->fwd = extra->half[turned];
	x->rev = extra->half[!turned];
	/* A flow of one direction is one of two; a biflow is the first. */
	x->flow_id = 2 * extra->number + (turned && !choice->biflow);
	/* What has nothing below it is its own. */
	if (x->fwd.ingress_port == 0)
		x->fwd.ingress_port = x->flow.fwd.ingress;
	if (x->fwd.egress_port == 0)
		x->fwd.egress_port = x->flow.fwd.egress;
	if (choice->needs & NEED_MAC) {
		memcpy(x->flow.src_mac, x->fwd.src_mac, 6);
		memcpy(x->flow.dst_mac, x->fwd.dst_mac, 6);
	}
}

static void
fill_interface(struct export_record *x, const struct field_choice *choice)
{
	const struct flow_half *h = &x->flow.fwd;
	uint32_t seen_at = h->ingress != 0 ? h->ingress : h->egress;

	for (size_t i = 0; i < choice->ninterfaces; i++) {
		const struct option_record *row = &choice->interface[i];

		if (row->ifindex != seen_at)
			continue;
		memcpy(x->interface_name, row->interface_name,
		    sizeof(x->interface_name));
		memcpy(x->interface_description, row->interface_description,
		    sizeof(x->interface_description));
		return;
	}
}

/* The addresses and ports with which packets leave the box. */
static void
fill_nat(struct export_record *x)
{
	const struct flow_record *r = &x->flow;
	const struct flow_nat *nat = r->nat;
	bool half = r->turned;

	memcpy(x->post_src, nat == NULL ? r->src : nat->half[half].src, 16);
	memcpy(x->post_dst, nat == NULL ? r->dst : nat->half[half].dst, 16);
	x->post_src_port = nat == NULL ? r->src_port : nat->half[half].src_port;
	x->post_dst_port = nat == NULL ? r->dst_port : nat->half[half].dst_port;
}

/* Fill what stands behind the record itself. */
static void
fill_behind(struct export_record *x, const struct field_choice *choice)
{
	const size_t behind = offsetof(struct export_record, fwd);
	struct option_record o;

	memset((uint8_t *)x + behind, 0, sizeof(*x) - behind);
	if (x->flow.extra != NULL)
		fill_extra(x, choice);
	if (choice->needs & NEED_NAT)
		fill_nat(x);
	if (choice->needs & NEED_INTERFACES)
		fill_interface(x, choice);
	if (choice->needs & NEED_SAMPLING) {
		option_sampling(&o, &choice->sampling);
		x->sampling_interval = o.one_in;
		x->sampling_algorithm = o.sampling_algorithm;
	}
}

unsigned
record_split(const struct flow_record *r, const struct field_choice *choice,
    struct export_record out[2])
{
	bool biflow = choice->biflow;
	unsigned n = 0;

	if (r->fwd.packets != 0)
		out[n++].flow = *r;
	if (r->rev.packets != 0 && !(biflow && n > 0))
		record_reverse(r, &out[n++].flow);
	if (biflow && n > 0)
		out[0].flow.biflow =
		    r->fwd.packets != 0 ? BIFLOW_INITIATOR : BIFLOW_RESPONDER;
	for (unsigned i = 0; i < n; i++) {
		if (!choice->direction)
			out[i].flow.fwd.direction = DIRECTION_UNKNOWN;
		if (choice->needs != 0)
			fill_behind(&out[i], choice);
	}
	return n;
}

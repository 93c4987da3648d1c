/* SPDX-License-Identifier: ISC */
/*
 * test_decode.c - hand-made frames of every link type, stack and discard
 * reason, and every truncation of every packet of the captures at hand.
 *
 * Each frame goes to the decoder at the very end of an allocation, and so does
 * every truncation of it, so that the address sanitizer sees the first octet
 * read too many.
 */
#include <dirent.h>
#include <pcap/pcap.h>
#include <stdint.h>
#include <string.h>

#include "bytes.h"
#include "decode.h"
#include "extra.h"
#include "record.h"
#include "tests/unit.h"

/* In the file format these two have numbers of their own. */
#define LINK_RAW 101
#define LINK_RAW_BSDOS 14
#define LINK_RAW_OR_LOOP 12

static const int known_links[] = { DLT_NULL, DLT_EN10MB, DLT_PPP,
	LINK_RAW_OR_LOOP, LINK_RAW_BSDOS, DLT_PPP_SERIAL, DLT_PPP_ETHER,
	LINK_RAW, DLT_C_HDLC, DLT_IEEE802_11, DLT_LOOP, DLT_LINUX_SLL,
	DLT_PFLOG, DLT_IEEE802_11_RADIO, DLT_PPI, DLT_IPV4, DLT_IPV6, DLT_NFLOG,
	DLT_LINUX_SLL2 };

#define LENGTH(a) (sizeof(a) / sizeof((a)[0]))

static uint8_t octets[4096];
static struct wbuf frame;
static struct packet p;
static struct packet_extra extra;

/*
 * Frames
 */

static void
start(void)
{
	frame = wb_init(octets, sizeof(octets));
}

static uint8_t
hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c == '\0' ? NULL : strchr(digits, c);

	if (at == NULL)
		ck_abort_msg("not a hexadecimal digit");
	return (uint8_t)(at - digits);
}

/* Append octets given in hexadecimal; blanks are free. */
static void
hex(const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == ' ')
			continue;
		wb_u8(&frame,
		    (uint8_t)(hex_digit(text[0]) << 4 | hex_digit(text[1])));
		text++;
	}
	ck_assert(!frame.full);
}

/* Start a frame with these octets. */
static void
begin(const char *text)
{
	start();
	hex(text);
}

#define MACS "020000000002 020000000001"
#define TCP_HEADER "01bb c000 00000001 00000002 5018 ffff 0000 0000"
#define ADDRESSES4 "0a000001 0a000002"
#define ADDRESSES6                                                             \
	"20010db8000000000000000000000001 20010db8000000000000000000000002"

/* 43 octets: 10.0.0.1 port 443 to 10.0.0.2 port 49152, ToS 0x20, PSH ACK. */
#define TCP4 "45 20 002b 1234 4000 40 06 0000" ADDRESSES4 TCP_HEADER "616263"
#define TCP4_LEN 43

/* 52 octets: 2001:db8::1 port 53 to ::2 port 5353, class 0xb8. */
#define UDP6 "6b812345 000c 11 40" ADDRESSES6 "0035 14e9 000c 0000 61626364"
#define UDP6_LEN 52

/* An IPv4 frame on Ethernet; rest begins with the protocol field. */
#define IPV4(tos_len_id_frag, rest) MACS "0800 45" tos_len_id_frag "40" rest

static bool
all_fields_equal(const struct packet *a, const struct packet *b)
{
	return memcmp(a->src, b->src, 16) == 0 &&
	       memcmp(a->dst, b->dst, 16) == 0 && a->octets == b->octets &&
	       a->fragment_id == b->fragment_id && a->src_port == b->src_port &&
	       a->dst_port == b->dst_port && a->tcp_flags == b->tcp_flags &&
	       a->vlan == b->vlan && a->ethertype == b->ethertype &&
	       a->protocol == b->protocol && a->ip_version == b->ip_version &&
	       a->tos == b->tos && a->fragment == b->fragment &&
	       a->notes == b->notes && memcmp(a->src_mac, b->src_mac, 6) == 0 &&
	       memcmp(a->dst_mac, b->dst_mac, 6) == 0;
}

/* What is wrong with two answers about one frame, or NULL. */
static const char *
find_fault(enum decode_status status, const struct packet *a,
    enum decode_status again, const struct packet *b)
{
	if (status >= DECODE_STATUSES)
		return "no such status";
	if (status != again || !all_fields_equal(a, b))
		return "a field is not set";
	if (a->time_ns != b->time_ns >> 1 || a->clock_ns != b->clock_ns >> 1)
		return "a field of the capture is set";
	if (status != DECODE_OK)
		return NULL;
	if (a->ip_version != 4 && a->ip_version != 6)
		return "no IP version";
	return a->octets == 0 ? "no octets" : NULL;
}

/* Decode to *p and check what holds for every frame there can be. */
static enum decode_status
decode_checked(int dlt, const uint8_t *data, size_t caplen, size_t wirelen)
{
	enum decode_status status, again;
	struct packet other;
	const char *fault;

	memset(&p, 0x55, sizeof(p));
	memset(&extra, 0x55, sizeof(extra));
	memset(&other, 0xaa, sizeof(other));
	status = decode_for(dlt)(data, caplen, wirelen, &p);
	/* asking for more changes nothing */
	again = decode_extra(dlt, data, caplen, wirelen, &other, &extra);
	/* libcheck writes to a pipe at each assertion: not here, 10^6 times */
	fault = find_fault(status, &p, again, &other);
	if (fault != NULL)
		ck_abort_msg("%s", fault);
	return status;
}

/* The same at the very end of an allocation. */
static enum decode_status
decode_exact(int dlt, const uint8_t *data, size_t caplen, size_t wirelen)
{
	uint8_t *room = malloc(caplen + 1);
	enum decode_status status;

	ck_assert_ptr_nonnull(room);
	memcpy(room + 1, data, caplen);
	status = decode_checked(dlt, room + 1, caplen, wirelen);
	free(room);
	return status;
}

/* Decode with every shorter capture length, and every shorter frame. */
static void
decode_truncations(int dlt, const uint8_t *data, size_t caplen, size_t wirelen)
{
	uint8_t *room = malloc(caplen + 1);

	ck_assert_ptr_nonnull(room);
	for (size_t n = 0; n <= caplen; n++) {
		uint8_t *at = room + 1 + caplen - n;

		memcpy(at, data, n);
		decode_checked(dlt, at, n, wirelen);
		decode_checked(dlt, at, n, n);
	}
	free(room);
}

static enum decode_status
decode_wire(int dlt, size_t wirelen)
{
	decode_truncations(dlt, octets, wb_len(&frame), wirelen);
	return decode_exact(dlt, octets, wb_len(&frame), wirelen);
}

static enum decode_status
decode(int dlt)
{
	return decode_wire(dlt, wb_len(&frame));
}

#define expect_ok(dlt) ck_assert_int_eq(decode(dlt), DECODE_OK)
#define expect(dlt, status) ck_assert_int_eq(decode(dlt), status)

static void
check_octets(const uint8_t *got, const char *want, size_t len)
{
	uint8_t wanted[64];
	struct wbuf keep = frame;

	frame = wb_init(wanted, sizeof(wanted));
	hex(want);
	ck_assert_uint_eq(wb_len(&frame), len);
	ck_assert_mem_eq(got, wanted, len);
	frame = keep;
}

#define NO_MAC "000000000000"

static void
check_tcp4(void)
{
	check_octets(p.src, "0a000001 000000000000000000000000", 16);
	check_octets(p.dst, "0a000002 000000000000000000000000", 16);
	ck_assert_uint_eq(p.octets, TCP4_LEN);
	ck_assert_uint_eq(p.fragment_id, 0);
	ck_assert_uint_eq(p.src_port, 443);
	ck_assert_uint_eq(p.dst_port, 49152);
	ck_assert_uint_eq(p.tcp_flags, 0x18);
	ck_assert_uint_eq(p.ethertype, 0x0800);
	ck_assert_uint_eq(p.protocol, 6);
	ck_assert_uint_eq(p.ip_version, 4);
	ck_assert_uint_eq(p.tos, 0x20);
	ck_assert_uint_eq(p.fragment, FRAGMENT_NONE);
	ck_assert_uint_eq(p.notes, 0);
}

static void
check_udp6(void)
{
	check_octets(p.src, "20010db8000000000000000000000001", 16);
	check_octets(p.dst, "20010db8000000000000000000000002", 16);
	ck_assert_uint_eq(p.octets, UDP6_LEN);
	ck_assert_uint_eq(p.fragment_id, 0);
	ck_assert_uint_eq(p.src_port, 53);
	ck_assert_uint_eq(p.dst_port, 5353);
	ck_assert_uint_eq(p.tcp_flags, 0);
	ck_assert_uint_eq(p.ethertype, 0x86dd);
	ck_assert_uint_eq(p.protocol, 17);
	ck_assert_uint_eq(p.ip_version, 6);
	ck_assert_uint_eq(p.tos, 0xb8);
	ck_assert_uint_eq(p.fragment, FRAGMENT_NONE);
	ck_assert_uint_eq(p.notes, 0);
}

static void
check_ports(unsigned src_port, unsigned dst_port, unsigned notes)
{
	ck_assert_uint_eq(p.src_port, src_port);
	ck_assert_uint_eq(p.dst_port, dst_port);
	ck_assert_uint_eq(p.notes, notes);
}

/*
 * Link layers
 */

UNIT(ethernet_ipv4_tcp_fills_every_field)
{
	begin(MACS "0800" TCP4);
	expect_ok(DLT_EN10MB);
	check_tcp4();
	check_octets(p.src_mac, "020000000001", 6);
	check_octets(p.dst_mac, "020000000002", 6);
	ck_assert_uint_eq(p.vlan, 0);
	ck_assert_uint_eq(p.ifindex, UINT32_C(0x55555555));
}
END_TEST

UNIT(ethernet_ipv6_udp_fills_every_field)
{
	begin(MACS "86dd" UDP6);
	expect_ok(DLT_EN10MB);
	check_udp6();
	check_octets(p.src_mac, "020000000001", 6);
	check_octets(p.dst_mac, "020000000002", 6);
	ck_assert_uint_eq(p.vlan, 0);
}
END_TEST

#define SNAP "aaaa03 000000"
#define WIFI_HEADER "0000 111111111111 222222222222 333333333333 0000"
#define SLL_ADDRESS "0006 020000000001 0000"
#define SLL2_TO_ADDRESS "0000 00000007 0001 00 06 020000000001 0000"
#define ZEROS16 "00000000000000000000000000000000"
#define PFLOG61 "3d 02 00 00" ZEROS16 ZEROS16 ZEROS16 "000000000000000000000000"

/* The octets before IPv4 and before IPv6, for every link type. */
static const struct {
	int dlt;
	const char *v4, *v6;
} link_headers[] = {
	/* clang-format off */
	{ DLT_EN10MB, MACS "0800", MACS "86dd" },
	{ DLT_EN10MB, MACS "0033" SNAP "0800", MACS "003c" SNAP "86dd" },
	{ DLT_NULL, "02000000", "1c000000" },
	{ DLT_NULL, "00000002", "0000001e" },
	{ DLT_NULL, "02000000", "0a000000" },
	{ DLT_LOOP, "00000002", "00000018" },
	{ LINK_RAW, "", "" },
	{ LINK_RAW_BSDOS, "", "" },
	{ LINK_RAW_OR_LOOP, "", "" },
	{ LINK_RAW_OR_LOOP, "00000002", "00000018" },
	{ DLT_IPV4, "", "" },
	{ DLT_IPV6, "", "" },
	{ DLT_PPP, "0021", "0057" },
	{ DLT_PPP, "ff03 0021", "ff03 0057" },
	{ DLT_PPP, "21", "57" },
	{ DLT_PPP, "ff03 21", "ff03 57" },
	{ DLT_PPP, "0281 00010140", "0283 00010140" },
	{ DLT_PPP_SERIAL, "ff03 0021", "ff03 0057" },
	{ DLT_PPP_SERIAL, "0f00 0800", "8f00 86dd" },
	{ DLT_PPP_ETHER, "1100 0001 002d 0021", "1100 0001 0036 0057" },
	{ DLT_C_HDLC, "0f00 0800", "8f00 86dd" },
	{ DLT_LINUX_SLL, "0000 0001" SLL_ADDRESS "0800",
	    "0000 0001" SLL_ADDRESS "86dd" },
	{ DLT_LINUX_SLL, "0000 0001" SLL_ADDRESS "0004" SNAP "0800",
	    "0000 0001" SLL_ADDRESS "8100 0007 86dd" },
	{ DLT_LINUX_SLL2, "0800" SLL2_TO_ADDRESS, "86dd" SLL2_TO_ADDRESS },
	{ DLT_PFLOG, PFLOG61, PFLOG61 },
	{ DLT_NFLOG, "0200 0000 2f00 0900", "0a00 0000 3800 0900" },
	{ DLT_NFLOG, "0200 0000 002f 0009", "0a00 0000 0038 0009" },
	{ DLT_IEEE802_11, "0800" WIFI_HEADER SNAP "0800",
	    "0800" WIFI_HEADER SNAP "86dd" },
	{ DLT_IEEE802_11_RADIO,
	    "0000 0800 00000000 0801" WIFI_HEADER SNAP "0800",
	    "0000 0c00 00000000 01020304 0802" WIFI_HEADER SNAP "86dd" },
	{ DLT_PPI, "0000 0800 69000000 0800" WIFI_HEADER SNAP "0800",
	    "0000 0c00 01000000 01020304" MACS "86dd" },
	/* clang-format on */
};

UNIT(every_link_type_reaches_ipv4_and_ipv6)
{
	for (size_t i = 0; i < LENGTH(link_headers); i++) {
		begin(link_headers[i].v4);
		hex(TCP4);
		expect_ok(link_headers[i].dlt);
		check_tcp4();
		begin(link_headers[i].v6);
		hex(UDP6);
		expect_ok(link_headers[i].dlt);
		check_udp6();
	}
}
END_TEST

UNIT(every_link_type_of_the_table_is_known)
{
	for (size_t i = 0; i < LENGTH(known_links); i++) {
		size_t j = 0;

		ck_assert(decode_knows(known_links[i]));
		while (j < LENGTH(link_headers) &&
		       link_headers[j].dlt != known_links[i])
			j++;
		ck_assert_msg(j < LENGTH(link_headers), "no frame for DLT %d",
		    known_links[i]);
	}
}
END_TEST

UNIT(a_link_type_without_decoder_discards_every_frame)
{
	ck_assert(!decode_knows(147));
	ck_assert(!decode_knows(-1));
	begin(MACS "0800" TCP4);
	expect(147, DISCARD_LINK_TYPE);
	ck_assert_uint_eq(p.ethertype, 0);
}
END_TEST

/* What may stand between the MAC addresses and IPv4, and the VLAN it gives. */
static const struct {
	const char *layers;
	unsigned vlan;
} stacks[] = {
	/* clang-format off */
	{ "8100 2007 0800", 7 },
	{ "8100 efff 0800", 4095 },
	{ "88a8 0064 8100 0007 0800", 100 },
	{ "9100 0064 9100 0007 0800", 100 },
	{ "8100 6000 8100 0007 0800", 0 }, /* a priority tag is outermost */
	{ "8100 0007 0033" SNAP "0800", 7 },
	{ "8100 0007 0033 aaaa03 0000f8 0800", 7 }, /* 802.1H */
	{ "002e 060603", 0 }, /* IP without SNAP */
	{ "8864 1100 0001 002d 0021", 0 },
	{ "88a8 0064 8100 0007 8864 1100 0001 002d 0021", 100 },
	{ "8847 00010140", 0 },
	{ "8848 00010040 00020040 00030140", 0 },
	{ "8100 0009 8847 00010040 00020140", 9 },
	{ "8864 1100 0001 002d 0281 00010140", 0 },
	/* Ethernet over MPLS with a control word, and without */
	{ "8847 00010140 00000001 aaaaaaaaaaaa bbbbbbbbbbbb 0800", 0 },
	{ "8847 00010140 00aaaaaaaaaa bbbbbbbbbbbb 0800", 0 },
	{ "8847 00010140 aaaaaaaaaaaa bbbbbbbbbbbb 0800", 0 },
	{ "8847 00010140 00000000 00aaaaaaaaaa bbbbbbbbbbbb 8100 0005 0800",
	    5 },
	{ "8100 0002 8847 00010140 00000000 aaaaaaaaaaaa bbbbbbbbbbbb "
	  "8100 0005 0800", 2 },
	/* clang-format on */
};

UNIT(stacks_of_tags_labels_and_ppp_reach_ip)
{
	for (size_t i = 0; i < LENGTH(stacks); i++) {
		begin(MACS);
		hex(stacks[i].layers);
		hex(TCP4);
		expect_ok(DLT_EN10MB);
		check_tcp4();
		ck_assert_uint_eq(p.vlan, stacks[i].vlan);
		check_octets(p.src_mac, "020000000001", 6);
		check_octets(p.dst_mac, "020000000002", 6);
	}
}
END_TEST

UNIT(ipv6_below_a_control_word_is_recognised)
{
	begin(
	    MACS "8847 00010140 00000000 aaaaaaaaaaaa bbbbbbbbbbbb 86dd" UDP6);
	expect_ok(DLT_EN10MB);
	check_udp6();
}
END_TEST

UNIT(a_stack_may_be_16_layers_deep_and_no_deeper)
{
	begin(MACS);
	for (int i = 0; i < 16; i++)
		hex("8100 0001");
	hex("0800" TCP4);
	expect_ok(DLT_EN10MB);
	check_tcp4();

	begin(MACS);
	for (int i = 0; i < 17; i++)
		hex("8100 0001");
	hex("0800" TCP4);
	expect(DLT_EN10MB, DISCARD_TOO_DEEP);
	ck_assert_uint_eq(p.ethertype, 0x8100);
}
END_TEST

UNIT(a_label_stack_may_be_16_deep_and_no_deeper)
{
	for (int labels = 16; labels <= 17; labels++) {
		begin(MACS "8847");
		for (int i = 1; i < labels; i++)
			hex("00010040");
		hex("00010140" TCP4);
		expect(DLT_EN10MB, labels == 16 ? DECODE_OK : DISCARD_TOO_DEEP);
	}
}
END_TEST

UNIT(snap_in_snap_in_snap_ends)
{
	begin(MACS);
	for (int i = 0; i < 300; i++)
		hex("0020" SNAP);
	expect(DLT_EN10MB, DISCARD_TOO_DEEP);
}
END_TEST

static const struct {
	int dlt;
	enum decode_status status;
	unsigned ethertype;
	const char *frame;
} discards[] = {
	/* clang-format off */
	{ DLT_EN10MB, DISCARD_SHORT_LINK, 0, "" },
	{ DLT_EN10MB, DISCARD_SHORT_LINK, 0, MACS "08" },
	{ DLT_EN10MB, DISCARD_SHORT_LINK, 0x8100, MACS "8100 0001 08" },
	{ DLT_EN10MB, DISCARD_SHORT_LINK, 0x8864, MACS "8864 1100 0001 002d" },
	{ DLT_EN10MB, DISCARD_SHORT_LINK, 0x8847, MACS "8847 000100" },
	{ DLT_EN10MB, DISCARD_SHORT_LINK, 0x8847, MACS "8847 00010140" },
	{ DLT_EN10MB, DISCARD_SHORT_LINK, 0, MACS "0020 aaaa" },
	{ DLT_EN10MB, DISCARD_SHORT_LINK, 0, MACS "0020 aaaa03 000000 08" },
	{ DLT_EN10MB, DISCARD_SHORT_IP, 0x0800, MACS "0800" },
	{ DLT_EN10MB, DISCARD_SHORT_IP, 0x0800, MACS "0800 45000014" },
	{ DLT_EN10MB, DISCARD_SHORT_IP, 0x86dd, MACS "86dd 60" },
	{ DLT_EN10MB, DISCARD_ARP, 0x0806, MACS "0806 0001 0800 0604" },
	{ DLT_EN10MB, DISCARD_ARP, 0x8035, MACS "8035 0001 0800 0604" },
	{ DLT_EN10MB, DISCARD_LLC, 0, MACS "0026 424203 0000" },
	{ DLT_EN10MB, DISCARD_LLC, 0, MACS "0026 ffff00 0000" },
	{ DLT_EN10MB, DISCARD_LLC, 0, MACS "0026 aaaa03 00000c 2000" },
	{ DLT_EN10MB, DISCARD_LLC, 0, MACS "0026 aaaa13 000000 0800" },
	{ DLT_EN10MB, DISCARD_PPP_CONTROL, 0x8863, MACS "8863 1109 0000 0000" },
	{ DLT_EN10MB, DISCARD_PPP_CONTROL, 0x8864,
	    MACS "8864 1100 0001 000a c021 0109" },
	{ DLT_EN10MB, DISCARD_PPP_CONTROL, 0x8864,
	    MACS "8864 11a7 0001 0000 0021" },
	{ DLT_EN10MB, DISCARD_ETHERTYPE, 0x88cc, MACS "88cc 0207" },
	{ DLT_EN10MB, DISCARD_ETHERTYPE, 0x88cc, MACS "8100 0001 88cc 0207" },
	{ DLT_EN10MB, DISCARD_ETHERTYPE, 0x6003,
	    MACS "0026 aaaa03 000000 6003" },
	{ DLT_EN10MB, DISCARD_MPLS_PAYLOAD, 0x8847, /* associated channel */
	    MACS "8847 00010140 10000007 0000000000000000000000000000" },
	{ DLT_EN10MB, DISCARD_MPLS_PAYLOAD, 0x8847,
	    MACS "8847 00010140 00000000 aaaaaaaaaaaabbbbbbbbbbbb 0800 55" },
	{ DLT_EN10MB, DISCARD_MPLS_PAYLOAD, 0x8847,
	    MACS "8847 00010140 00000000 aaaaaaaaaaaabbbbbbbbbbbb 86dd 45" },
	{ DLT_EN10MB, DISCARD_ARP, 0x0806,
	    MACS "8847 00010140 00000000 aaaaaaaaaaaabbbbbbbbbbbb 0806 0001" },
	{ DLT_EN10MB, DISCARD_IP_VERSION, 0x0800, MACS "0800 55" },
	{ DLT_EN10MB, DISCARD_IP_HEADER, 0x0800, /* 4 words */
	    MACS "0800 44000014 00000000 4011 0000" ADDRESSES4 },
	{ DLT_EN10MB, DISCARD_IP_HEADER, 0x0800, /* 24 octets of 20 */
	    MACS "0800 46000014 00000000 4011 0000" ADDRESSES4 "00000000" },
	{ DLT_EN10MB, DISCARD_IP_HEADER, 0x0800, /* 19 octets in all */
	    MACS "0800 45000013 00000000 4011 0000" ADDRESSES4 },
	{ DLT_EN10MB, DISCARD_IP_HEADER, 0x0800, /* 24 octets in a frame of 20 */
	    MACS "0800 46000000 00000000 4011 0000" ADDRESSES4 },
	{ DLT_PPP, DISCARD_SHORT_LINK, 0, "ff03 00" },
	{ DLT_PPP, DISCARD_PPP_CONTROL, 0, "ff03 c021 01010004" },
	{ DLT_PPP, DISCARD_PPP_CONTROL, 0, "8021 01010004" },
	{ DLT_PPP, DISCARD_ETHERTYPE, 0, "ff03 002d 00" },
	{ DLT_PPP, DISCARD_SHORT_LINK, 0, "0281 0001" },
	{ DLT_PPP_ETHER, DISCARD_PPP_CONTROL, 0, "1109 0000 0000" },
	{ DLT_C_HDLC, DISCARD_ARP, 0x8035, "8f00 8035 00000002" },
	{ DLT_C_HDLC, DISCARD_ETHERTYPE, 0x2000, "8f00 2000 01b4" },
	{ DLT_NULL, DISCARD_ETHERTYPE, 0, "17000000 ffff" },
	{ DLT_NULL, DISCARD_SHORT_LINK, 0, "020000" },
	{ LINK_RAW, DISCARD_SHORT_IP, 0, "" },
	{ LINK_RAW, DISCARD_IP_VERSION, 0, "00" },
	{ LINK_RAW_OR_LOOP, DISCARD_SHORT_IP, 0, "" },
	{ LINK_RAW_OR_LOOP, DISCARD_SHORT_LINK, 0, "0000" },
	{ DLT_LINUX_SLL, DISCARD_SHORT_LINK, 0, "0000 0001" SLL_ADDRESS "08" },
	{ DLT_LINUX_SLL2, DISCARD_SHORT_LINK, 0, "0800 0000 00000007" },
	{ DLT_PFLOG, DISCARD_SHORT_LINK, 0, "45 00 0014" ZEROS16 },
	{ DLT_PFLOG, DISCARD_SHORT_LINK, 0, "10 00 0014" ZEROS16 ZEROS16 },
	{ DLT_NFLOG, DISCARD_SHORT_LINK, 0, "0200 0000" },
	{ DLT_NFLOG, DISCARD_SHORT_LINK, 0, "0200 0000 0300 0900 45" },
	{ DLT_NFLOG, DISCARD_SHORT_LINK, 0, "0200 0000 ff00 0a00 45" },
	{ DLT_NFLOG, DISCARD_SHORT_IP, 0, "0200 0000 0400 0900" },
	{ DLT_IEEE802_11, DISCARD_SHORT_LINK, 0, "08" },
	{ DLT_IEEE802_11, DISCARD_WIFI_NOT_DATA, 0, "8000" WIFI_HEADER },
	{ DLT_IEEE802_11, DISCARD_WIFI_NOT_DATA, 0, "d400 0000" },
	{ DLT_IEEE802_11, DISCARD_WIFI_NOT_DATA, 0, "4801" WIFI_HEADER },
	{ DLT_IEEE802_11, DISCARD_WIFI_NOT_DATA, 0, "c801" WIFI_HEADER "0000" },
	{ DLT_IEEE802_11, DISCARD_WIFI_NOT_DATA, 0, "0900" WIFI_HEADER SNAP },
	{ DLT_IEEE802_11, DISCARD_WIFI_PROTECTED, 0, "0841" WIFI_HEADER },
	{ DLT_IEEE802_11, DISCARD_WIFI_NOT_DATA, 0, /* A-MSDU */
	    "8801" WIFI_HEADER "8000" SNAP "0800" TCP4 },
	{ DLT_IEEE802_11, DISCARD_WIFI_NOT_DATA, 0, /* its second fragment */
	    "0801 0000 111111111111 222222222222 333333333333 0100" TCP4 },
	{ DLT_IEEE802_11, DISCARD_LLC, 0, "0801" WIFI_HEADER "424203" },
	{ DLT_IEEE802_11_RADIO, DISCARD_SHORT_LINK, 0, "0000 0700 00000000" },
	{ DLT_IEEE802_11_RADIO, DISCARD_SHORT_LINK, 0, "0000 ffff 00000000" },
	{ DLT_PPI, DISCARD_SHORT_LINK, 0, "0000 0700 01000000" },
	{ DLT_PPI, DISCARD_SHORT_LINK, 0, "0000 0900 01000000" },
	{ DLT_PPI, DISCARD_LINK_TYPE, 0,
	    "0000 0800 c0000000 0000 0800 01000000" },
	{ DLT_PPI, DISCARD_LINK_TYPE, 0, "0000 0800 93000000 00000000" },
	{ DLT_PPI, DISCARD_LINK_TYPE, 0, "0000 0800 010000ff 00000000" },
	/* clang-format on */
};

UNIT(every_discard_has_its_reason_and_ethertype)
{
	for (size_t i = 0; i < LENGTH(discards); i++) {
		begin(discards[i].frame);
		ck_assert_msg(decode(discards[i].dlt) == discards[i].status,
		    "DLT %d %s", discards[i].dlt, discards[i].frame);
		ck_assert_uint_eq(p.ethertype, discards[i].ethertype);
	}
}
END_TEST

UNIT(reasons_have_names_of_their_own)
{
	for (enum decode_status i = 0; i < DECODE_STATUSES; i++) {
		ck_assert_ptr_nonnull(decode_status_name(i));
		for (enum decode_status j = 0; j < i; j++)
			ck_assert_str_ne(
			    decode_status_name(i), decode_status_name(j));
	}
	ck_assert_str_eq(
	    decode_status_name(DISCARD_IPV6_EXTENSIONS), "ipv6-extensions");
	ck_assert_str_eq(decode_status_name(DECODE_STATUSES), "unknown");
}
END_TEST

UNIT(the_version_field_decides_whatever_the_ethertype_says)
{
	begin(MACS "0800" UDP6);
	expect_ok(DLT_EN10MB);
	check_udp6();
}
END_TEST

/* To and from DS decide which address is whose. */
UNIT(wifi_addresses_follow_the_ds_bits)
{
	static const struct {
		const char *control, *address4, *src, *dst;
	} rows[] = {
		{ "0800", "", "222222222222", "111111111111" },
		{ "0801", "", "222222222222", "333333333333" },
		{ "0802", "", "333333333333", "111111111111" },
		{ "0803", "444444444444", "444444444444", "333333333333" },
	};

	for (size_t i = 0; i < LENGTH(rows); i++) {
		begin(rows[i].control);
		hex(WIFI_HEADER);
		hex(rows[i].address4);
		hex(SNAP "0800" TCP4);
		expect_ok(DLT_IEEE802_11);
		check_tcp4();
		check_octets(p.src_mac, rows[i].src, 6);
		check_octets(p.dst_mac, rows[i].dst, 6);
	}
}
END_TEST

UNIT(wifi_qos_and_ht_control_are_stepped_over)
{
	begin("8801" WIFI_HEADER "0700" SNAP "0800" TCP4);
	expect_ok(DLT_IEEE802_11);
	check_tcp4();
	begin("8883" WIFI_HEADER "444444444444 0000 01020304" SNAP "0800" TCP4);
	expect_ok(DLT_IEEE802_11);
	check_tcp4();
	begin("0881" WIFI_HEADER SNAP "0800" TCP4); /* no QoS: no HT control */
	expect_ok(DLT_IEEE802_11);
	check_tcp4();
}
END_TEST

UNIT(cooked_capture_gives_the_source_address_if_it_has_6_octets)
{
	begin("0000 0001" SLL_ADDRESS "0800" TCP4);
	expect_ok(DLT_LINUX_SLL);
	check_octets(p.src_mac, "020000000001", 6);
	check_octets(p.dst_mac, NO_MAC, 6);
	begin("0000 0304 0004 0a000001 00000000 0800" TCP4);
	expect_ok(DLT_LINUX_SLL);
	check_tcp4();
	check_octets(p.src_mac, NO_MAC, 6);
	begin("0800" SLL2_TO_ADDRESS TCP4);
	expect_ok(DLT_LINUX_SLL2);
	check_octets(p.src_mac, "020000000001", 6);
}
END_TEST

UNIT(the_interface_of_the_link_layer_wins_over_the_capture)
{
	begin("0800" SLL2_TO_ADDRESS TCP4);
	expect_ok(DLT_LINUX_SLL2);
	ck_assert_uint_eq(p.ifindex, 7);
	begin("0800 0000 00000000 0001 00 06 020000000001 0000" TCP4);
	expect_ok(DLT_LINUX_SLL2);
	ck_assert_uint_eq(p.ifindex, UINT32_C(0x55555555)); /* untouched */
	begin("0200 0005 0800 0400 00000009 2f00 0900" TCP4);
	expect_ok(DLT_NFLOG);
	ck_assert_uint_eq(p.ifindex, 9);
}
END_TEST

UNIT(the_link_layer_tells_the_direction_where_it_has_one)
{
	static const enum packet_direction way[] = { DIRECTION_IN, DIRECTION_IN,
		DIRECTION_IN, DIRECTION_IN, DIRECTION_OUT, DIRECTION_UNKNOWN };

	for (unsigned type = 0; type < 6; type++) {
		start();
		wb_u16(&frame, (uint16_t)type);
		hex("0001" SLL_ADDRESS "0800" TCP4);
		expect_ok(DLT_LINUX_SLL);
		ck_assert_uint_eq(p.direction, way[type]);
		begin("0800 0000 00000007 0001");
		wb_u8(&frame, (uint8_t)type);
		hex("06 020000000001 0000" TCP4);
		expect_ok(DLT_LINUX_SLL2);
		ck_assert_uint_eq(p.direction, way[type]);
	}
	begin(MACS "0800" TCP4);
	expect_ok(DLT_EN10MB);
	ck_assert_uint_eq(p.direction, DIRECTION_UNKNOWN);
}
END_TEST

UNIT(pflog_headers_of_all_ages_tell_the_direction)
{
	static const enum packet_direction way[] = { DIRECTION_UNKNOWN,
		DIRECTION_IN, DIRECTION_OUT, DIRECTION_UNKNOWN };

	for (unsigned value = 0; value < 4; value++) {
		begin("2d 02 00 00" ZEROS16 ZEROS16 "0000000000000000");
		wb_u8(&frame, (uint8_t)value);
		hex("000000" TCP4);
		expect_ok(DLT_PFLOG);
		ck_assert_uint_eq(p.direction, way[value]);
		begin("3d 02 00 00" ZEROS16 ZEROS16 ZEROS16 "0000000000000000");
		wb_u8(&frame, (uint8_t)value);
		hex("000000" TCP4);
		expect_ok(DLT_PFLOG);
		ck_assert_uint_eq(p.direction, way[value]);
		begin("48 02 00 00" ZEROS16 ZEROS16 ZEROS16 "0000000000000000");
		wb_u8(&frame, (uint8_t)value);
		hex("000000 0000000000000000" TCP4);
		expect_ok(DLT_PFLOG);
		ck_assert_uint_eq(p.direction, way[value]);
	}
}
END_TEST

UNIT(nflog_tells_both_interfaces_and_the_direction)
{
	begin("0200 0005 0800 0400 00000009 0800 0500 0000000a 2f00 0900" TCP4);
	expect_ok(DLT_NFLOG);
	ck_assert_uint_eq(p.ifindex, 9);
	ck_assert_uint_eq(p.egress, 10);
	ck_assert_uint_eq(p.direction, DIRECTION_IN);
	begin("0200 0005 0800 0500 0000000a 2f00 0900" TCP4);
	expect_ok(DLT_NFLOG);
	ck_assert_uint_eq(p.ifindex, 10);
	ck_assert_uint_eq(p.direction, DIRECTION_OUT);
	begin("0200 0005 2f00 0900" TCP4);
	expect_ok(DLT_NFLOG);
	ck_assert_uint_eq(p.ifindex, UINT32_C(0x55555555)); /* untouched */
	ck_assert_uint_eq(p.direction, DIRECTION_UNKNOWN);
}
END_TEST

UNIT(pflog_headers_of_all_ages_are_stepped_over)
{
	begin("2d 02 00 00" ZEROS16 ZEROS16 "000000000000000000000000" TCP4);
	ck_assert_uint_eq(wb_len(&frame), 48 + TCP4_LEN); /* 45, padded */
	expect_ok(DLT_PFLOG);
	check_tcp4();
	begin("48 02 00 00" ZEROS16 ZEROS16 ZEROS16 ZEROS16 "00000000" TCP4);
	ck_assert_uint_eq(wb_len(&frame), 72 + TCP4_LEN);
	expect_ok(DLT_PFLOG);
	check_tcp4();
}
END_TEST

UNIT(nflog_attributes_before_the_datagram_are_stepped_over)
{
	/* a prefix of 5 octets, padded to 8 with its header to 12 */
	begin("0200 0005 0900 0a00 6162636400 000000 2f00 0900" TCP4);
	expect_ok(DLT_NFLOG);
	check_tcp4();
	begin("0200 0005 0009 000a 6162636400 000000 002f 0009" TCP4 "00");
	expect_ok(DLT_NFLOG);
	check_tcp4();
}
END_TEST

/* The copy is cut to the snap length before libpcap sees it. */
UNIT(nflog_believes_the_ip_length_of_a_shortened_copy)
{
	begin("0200 0000 2c00 0900 45 20 05dc 1234 4000 40 06 0000" ADDRESSES4
		TCP_HEADER);
	expect_ok(DLT_NFLOG);
	ck_assert_uint_eq(p.octets, 1500);
	check_ports(443, 49152, 0);
	begin("0200 0000 2c00 0900 45 20 0000 1234 4000 40 06 0000" ADDRESSES4
		TCP_HEADER);
	expect_ok(DLT_NFLOG);
	ck_assert_uint_eq(p.octets, 40);
	ck_assert_uint_eq(p.notes, NOTE_FRAME_LENGTH);
}
END_TEST

UNIT(nflog_without_end_is_left_after_32_attributes)
{
	begin("0200 0005");
	for (int i = 0; i < 40; i++)
		hex("0400 0a00");
	hex("2f00 0900" TCP4);
	expect(DLT_NFLOG, DISCARD_TOO_DEEP);
}
END_TEST

/*
 * IPv4
 */

UNIT(ipv4_options_are_stepped_over)
{
	begin(MACS "0800 48 00 0034 0001 0000 40 06 0000" ADDRESSES4
		   "01010101 94040000 01010100" TCP_HEADER);
	expect_ok(DLT_EN10MB);
	ck_assert_uint_eq(p.octets, 52);
	check_ports(443, 49152, 0);
	ck_assert_uint_eq(p.tcp_flags, 0x18);
}
END_TEST

UNIT(octets_are_the_ip_length_and_not_the_padding)
{
	begin(IPV4(
	    "00 001c 0001 0000", "11 0000" ADDRESSES4 "0035 14e9 0008 0000"));
	wb_zero(&frame, 60 - wb_len(&frame));
	expect_ok(DLT_EN10MB);
	ck_assert_uint_eq(p.octets, 28);
	check_ports(53, 5353, 0);
}
END_TEST

UNIT(padding_is_never_read_as_a_transport_header)
{
	begin(IPV4("00 0016 0001 0000", "11 0000" ADDRESSES4 "0035 14e9"));
	wb_zero(&frame, 60 - wb_len(&frame));
	expect_ok(DLT_EN10MB);
	ck_assert_uint_eq(p.octets, 22);
	check_ports(0, 0, NOTE_SHORT_TRANSPORT);
}
END_TEST

UNIT(octets_are_not_limited_by_the_snap_length)
{
	begin(IPV4("00 05dc 0001 0000", "06 0000" ADDRESSES4 TCP_HEADER));
	ck_assert_int_eq(decode_wire(DLT_EN10MB, 1514), DECODE_OK);
	ck_assert_uint_eq(p.octets, 1500);
	check_ports(443, 49152, 0);
}
END_TEST

UNIT(length_0_of_segmentation_offload_takes_the_wire_length)
{
	begin(IPV4("00 0000 0001 0000", "06 0000" ADDRESSES4 TCP_HEADER));
	ck_assert_int_eq(decode_wire(DLT_EN10MB, 80014), DECODE_OK);
	ck_assert_uint_eq(p.octets, 80000);
	check_ports(443, 49152, NOTE_FRAME_LENGTH);
}
END_TEST

UNIT(a_length_beyond_the_frame_takes_the_wire_length)
{
	begin(MACS "8100 0001 0800 45 00 ffff 0001 0000 40 06 0000" ADDRESSES4
		TCP_HEADER);
	ck_assert_int_eq(decode_wire(DLT_EN10MB, 118), DECODE_OK);
	ck_assert_uint_eq(p.octets, 100);
	check_ports(443, 49152, NOTE_FRAME_LENGTH);
}
END_TEST

UNIT(a_wire_length_below_the_captured_one_counts_as_equal)
{
	begin(MACS "0800" TCP4);
	ck_assert_int_eq(decode_wire(DLT_EN10MB, 0), DECODE_OK);
	check_tcp4();
}
END_TEST

UNIT(ipv4_fragments_are_told_apart)
{
	static const struct {
		const char *field;
		unsigned kind, id, src_port;
	} rows[] = {
		{ "0000", FRAGMENT_NONE, 0, 53 },
		{ "4000", FRAGMENT_NONE, 0, 53 }, /* DF */
		{ "8000", FRAGMENT_NONE, 0, 53 }, /* reserved */
		{ "2000", FRAGMENT_FIRST, 0xbeef, 53 },
		{ "2001", FRAGMENT_LATER, 0xbeef, 0 },
		{ "1fff", FRAGMENT_LATER, 0xbeef, 0 },
	};

	for (size_t i = 0; i < LENGTH(rows); i++) {
		begin(MACS "0800 45 00 001c beef");
		hex(rows[i].field);
		hex("40 11 0000" ADDRESSES4 "0035 14e9 0008 0000");
		expect_ok(DLT_EN10MB);
		ck_assert_uint_eq(p.fragment, rows[i].kind);
		ck_assert_uint_eq(p.fragment_id, rows[i].id);
		ck_assert_uint_eq(p.src_port, rows[i].src_port);
		ck_assert_uint_eq(p.protocol, 17);
		ck_assert_uint_eq(p.notes, 0);
	}
}
END_TEST

UNIT(ports_behind_an_authentication_header_are_read_in_ipv4)
{
	begin(IPV4("00 003c 0001 0000",
	    "33 0000" ADDRESSES4
	    "06 03 0000 00000001 00000002 00000000 00000000" TCP_HEADER));
	expect_ok(DLT_EN10MB);
	ck_assert_uint_eq(p.protocol, 6);
	check_ports(443, 49152, 0);
}
END_TEST

UNIT(ipv6_extension_numbers_end_an_ipv4_datagram)
{
	begin(IPV4(
	    "00 001c 0001 0000", "00 0000" ADDRESSES4 "11 00 0000 00000000"));
	expect_ok(DLT_EN10MB);
	ck_assert_uint_eq(p.protocol, 0);
	check_ports(0, 0, 0);
}
END_TEST

/*
 * IPv6
 */

/* An IPv6 frame on Ethernet; rest is the payload. */
#define IPV6(len_next, rest) MACS "86dd 60000000" len_next "40" ADDRESSES6 rest
#define UDP_HEADER "0035 14e9 0008 0000"

UNIT(every_ipv6_extension_header_is_stepped_over)
{
	begin(IPV6("0048 00",
	    "2b 00 01040000 0000"                  /* hop-by-hop, 8 */
	    "3c 01 00000000 0000 0000000000000000" /* routing, 16 */
	    "33 00 01040000 0000"                  /* destination, 8 */
	    "2c 04 0000 00000001 00000002 0000000000000000 00000000"
	    "11 00 0000 00000007" /* atomic fragment, 8 */
	    UDP_HEADER));
	expect_ok(DLT_EN10MB);
	ck_assert_uint_eq(p.octets, 112);
	ck_assert_uint_eq(p.protocol, 17);
	ck_assert_uint_eq(p.fragment, FRAGMENT_NONE);
	ck_assert_uint_eq(p.fragment_id, 0);
	check_ports(53, 5353, 0);
}
END_TEST

UNIT(ipv6_fragments_are_told_apart)
{
	begin(IPV6("0010 2c", "11 00 0001 deadbeef" UDP_HEADER));
	expect_ok(DLT_EN10MB);
	ck_assert_uint_eq(p.fragment, FRAGMENT_FIRST);
	ck_assert_uint_eq(p.fragment_id, UINT32_C(0xdeadbeef));
	check_ports(53, 5353, 0);
	for (int more = 0; more < 2; more++) {
		begin(IPV6("0010 2c", "11 00"));
		hex(more ? "0009" : "0008");
		hex("deadbeef" UDP_HEADER);
		expect_ok(DLT_EN10MB);
		ck_assert_uint_eq(p.fragment, FRAGMENT_LATER);
		ck_assert_uint_eq(p.fragment_id, UINT32_C(0xdeadbeef));
		ck_assert_uint_eq(p.protocol, 17);
		check_ports(0, 0, 0);
	}
}
END_TEST

UNIT(a_later_ipv6_fragment_is_not_walked_further)
{
	begin(IPV6("0010 2c", "3c 00 0008 deadbeef 11 ff 0000 00000000"));
	expect_ok(DLT_EN10MB);
	ck_assert_uint_eq(p.fragment, FRAGMENT_LATER);
	ck_assert_uint_eq(p.protocol, 60);
	check_ports(0, 0, 0);
}
END_TEST

UNIT(headers_that_end_the_chain_have_no_ports)
{
	static const struct {
		const char *next;
		unsigned protocol;
	} rows[] = { { "0008 87", 135 }, { "0008 32", 50 }, { "0008 3b", 59 },
		{ "0008 8b", 139 }, { "0008 59", 89 } };

	for (size_t i = 0; i < LENGTH(rows); i++) {
		begin(MACS "86dd 60000000");
		hex(rows[i].next);
		hex("40" ADDRESSES6 "3b00 0000 00000000");
		expect_ok(DLT_EN10MB);
		ck_assert_uint_eq(p.protocol, rows[i].protocol);
		ck_assert_uint_eq(p.octets, 48);
		check_ports(0, 0, 0);
	}
}
END_TEST

UNIT(ipv6_may_have_12_extension_headers_and_no_more)
{
	for (int headers = 12; headers <= 13; headers++) {
		begin(MACS "86dd 60000000");
		wb_u16(&frame, (uint16_t)(headers * 8 + 8));
		hex("3c 40" ADDRESSES6);
		for (int i = 1; i < headers; i++)
			hex("3c 00 01040000 0000");
		hex("11 00 01040000 0000" UDP_HEADER);
		expect(DLT_EN10MB,
		    headers == 12 ? DECODE_OK : DISCARD_IPV6_EXTENSIONS);
		if (headers == 12)
			check_ports(53, 5353, 0);
	}
}
END_TEST

UNIT(a_chain_of_one_octet_ends)
{
	begin(IPV6("0001 00", "00"));
	ck_assert_uint_eq(wb_len(&frame), 55);
	expect_ok(DLT_EN10MB);
	ck_assert_uint_eq(p.octets, 41);
	ck_assert_uint_eq(p.protocol, 0);
	check_ports(0, 0, NOTE_SHORT_TRANSPORT);
}
END_TEST

UNIT(a_chain_cut_off_is_accounted_as_far_as_it_is_known)
{
	begin(IPV6("0400 00", "3c 00 01040000 0000 11 05 0000 0000"));
	ck_assert_int_eq(decode_wire(DLT_EN10MB, 14 + 40 + 1024), DECODE_OK);
	ck_assert_uint_eq(p.octets, 40 + 1024);
	ck_assert_uint_eq(p.protocol, 17);
	check_ports(0, 0, NOTE_SHORT_TRANSPORT);
	begin(IPV6("0400 2c", "11 00 0001 dead"));
	ck_assert_int_eq(decode_wire(DLT_EN10MB, 14 + 40 + 1024), DECODE_OK);
	ck_assert_uint_eq(p.fragment, FRAGMENT_NONE);
	check_ports(0, 0, NOTE_SHORT_TRANSPORT);
}
END_TEST

UNIT(a_chain_that_overruns_its_datagram_is_not_followed)
{
	/* the length ends inside the options, though octets follow */
	begin(
	    IPV6("000a 3c", "11 01 01040000 0000 0000" UDP_HEADER UDP_HEADER));
	expect_ok(DLT_EN10MB);
	ck_assert_uint_eq(p.octets, 50);
	check_ports(0, 0, NOTE_SHORT_TRANSPORT);
}
END_TEST

UNIT(a_jumbogram_has_its_length_in_the_hop_by_hop_options)
{
	begin(IPV6("0000 00", "11 00 c204 00011170" UDP_HEADER));
	ck_assert_int_eq(decode_wire(DLT_EN10MB, 14 + 40 + 70000), DECODE_OK);
	ck_assert_uint_eq(p.octets, 40 + 70000);
	check_ports(53, 5353, 0);
	/* behind other options */
	begin(IPV6(
	    "0000 00", "11 01 0000 0502 0000 c204 00011170 0000" UDP_HEADER));
	ck_assert_int_eq(decode_wire(DLT_EN10MB, 14 + 40 + 70000), DECODE_OK);
	ck_assert_uint_eq(p.octets, 40 + 70000);
	check_ports(53, 5353, 0);
}
END_TEST

UNIT(a_false_jumbo_length_takes_the_wire_length)
{
	static const char *const options[] = {
		"11 00 c204 0000ffff", /* would fit without the option */
		"11 00 c204 ffffffff", /* beyond the frame, and 2^32 */
		"11 00 c202 00011170", /* wrong length */
		"11 01 0000 0000 0000 0000 c204 00011170", /* too late */
	};

	for (size_t i = 0; i < LENGTH(options); i++) {
		begin(IPV6("0000 00", ""));
		hex(options[i]);
		hex(UDP_HEADER);
		ck_assert_int_eq(
		    decode_wire(DLT_EN10MB, 14 + 40 + 70000), DECODE_OK);
		ck_assert_uint_eq(p.octets, 40 + 70000);
		check_ports(53, 5353, NOTE_FRAME_LENGTH);
	}
}
END_TEST

UNIT(an_ipv6_payload_length_of_0_takes_the_wire_length)
{
	begin(IPV6("0000 11", UDP_HEADER));
	expect_ok(DLT_EN10MB);
	ck_assert_uint_eq(p.octets, 48);
	check_ports(53, 5353, NOTE_FRAME_LENGTH);
}
END_TEST

UNIT(an_ipv6_header_with_no_next_header_is_40_octets)
{
	begin(IPV6("0000 3b", "000000000000"));
	expect_ok(DLT_EN10MB);
	ck_assert_uint_eq(p.octets, 40);
	check_ports(0, 0, 0);
}
END_TEST

UNIT(an_ipv6_length_beyond_the_frame_takes_the_wire_length)
{
	begin(IPV6("ffff 11", UDP_HEADER));
	expect_ok(DLT_EN10MB);
	ck_assert_uint_eq(p.octets, 48);
	check_ports(53, 5353, NOTE_FRAME_LENGTH);
}
END_TEST

/*
 * Transport layer
 */

UNIT(five_protocols_have_ports)
{
	static const struct {
		const char *protocol;
		unsigned ports;
	} rows[] = { { "06", 1 }, { "11", 1 }, { "21", 1 }, { "84", 1 },
		{ "88", 1 }, { "02", 0 }, { "2f", 0 }, { "32", 0 }, { "59", 0 },
		{ "29", 0 }, { "04", 0 }, { "ff", 0 } };

	for (size_t i = 0; i < LENGTH(rows); i++) {
		begin(IPV4("00 0028 0001 0000", ""));
		hex(rows[i].protocol);
		hex("0000" ADDRESSES4 TCP_HEADER);
		expect_ok(DLT_EN10MB);
		check_ports(rows[i].ports * 443, rows[i].ports * 49152, 0);
	}
}
END_TEST

UNIT(tcp_control_bits_are_12_and_without_the_data_offset)
{
	begin(IPV4("00 0028 0001 0000",
	    "06 0000" ADDRESSES4
	    "01bb c000 00000001 00000002 ffff ffff 0000 0000"));
	expect_ok(DLT_EN10MB);
	ck_assert_uint_eq(p.tcp_flags, 0x0fff);
}
END_TEST

UNIT(queries_of_icmp_have_their_identifier)
{
	begin(IPV4(
	    "00 001c 0001 0000", "01 0000" ADDRESSES4 "0800 1111 1234 5678"));
	expect_ok(DLT_EN10MB);
	check_ports(0, 8 * 256, 0);
	ck_assert_uint_eq(p.identifier, 0x1234);
	begin(IPV4("00 001a 0001 0000", "01 0000" ADDRESSES4 "0000 1111 1234"));
	expect_ok(DLT_EN10MB); /* an answer, cut off behind it */
	ck_assert_uint_eq(p.identifier, 0x1234);
	begin(IPV6("0008 3a", "8100 1111 1234 5678"));
	expect_ok(DLT_EN10MB);
	ck_assert_uint_eq(p.identifier, 0x1234);
	begin(IPV4("00 0019 0001 0000", "01 0000" ADDRESSES4 "0800 1111 12"));
	expect_ok(DLT_EN10MB); /* cut off in it */
	ck_assert_uint_eq(p.identifier, 0);
	begin(IPV4(
	    "00 001c 0001 0000", "01 0000" ADDRESSES4 "0304 1111 1234 05dc"));
	expect_ok(DLT_EN10MB); /* no query: other fields stand there */
	ck_assert_uint_eq(p.identifier, 0);
}
END_TEST

UNIT(icmp_type_and_code_are_the_destination_port)
{
	begin(IPV4(
	    "00 001c 0001 0000", "01 0000" ADDRESSES4 "0303 0000 00000000"));
	expect_ok(DLT_EN10MB);
	check_ports(0, 3 * 256 + 3, 0);
	begin(IPV4("00 0016 0001 0000", "01 0000" ADDRESSES4 "0800"));
	expect_ok(DLT_EN10MB); /* nothing but type and code */
	check_ports(0, 8 * 256, 0);
	begin(IPV6("0004 3a", "8704 0000"));
	expect_ok(DLT_EN10MB);
	check_ports(0, 135 * 256 + 4, 0);
}
END_TEST

UNIT(a_short_transport_header_gives_what_is_whole)
{
	static const struct {
		size_t octets;
		unsigned src_port, dst_port, flags, notes;
	} rows[] = {
		{ 0, 0, 0, 0, NOTE_SHORT_TRANSPORT },
		{ 2, 0, 0, 0, NOTE_SHORT_TRANSPORT },
		{ 3, 0, 0, 0, NOTE_SHORT_TRANSPORT },
		{ 4, 443, 49152, 0, NOTE_SHORT_TRANSPORT },
		{ 13, 443, 49152, 0, NOTE_SHORT_TRANSPORT },
		{ 14, 443, 49152, 0x18, 0 },
	};

	for (size_t i = 0; i < LENGTH(rows); i++) {
		/* cut by the snap length */
		begin(IPV4("00 0028 0001 0000", "06 0000" ADDRESSES4));
		hex(TCP_HEADER);
		frame.p -= 20 - rows[i].octets;
		ck_assert_int_eq(decode_wire(DLT_EN10MB, 54), DECODE_OK);
		ck_assert_uint_eq(p.octets, 40);
		ck_assert_uint_eq(p.tcp_flags, rows[i].flags);
		check_ports(rows[i].src_port, rows[i].dst_port, rows[i].notes);
		/* cut by the datagram's own length */
		begin(MACS "0800 4500");
		wb_u16(&frame, (uint16_t)(20 + rows[i].octets));
		hex("0001 0000 40 06 0000" ADDRESSES4 TCP_HEADER);
		expect_ok(DLT_EN10MB);
		ck_assert_uint_eq(p.octets, 20 + rows[i].octets);
		ck_assert_uint_eq(p.tcp_flags, rows[i].flags);
		check_ports(rows[i].src_port, rows[i].dst_port, rows[i].notes);
	}
}
END_TEST

/*
 * What records tell only if asked to
 */

#define NO_OPTIONS "45 00 0028 0001 0000 40 06 0000" ADDRESSES4

UNIT(tags_are_noted_from_the_outside_in_and_the_first_two)
{
	begin(MACS "88a8 a064 8100 6fff 8100 0007 0800" TCP4);
	expect_ok(DLT_EN10MB);
	ck_assert_uint_eq(extra.tags, 2);
	ck_assert_uint_eq(extra.tag[0], 0xa064);
	ck_assert_uint_eq(extra.tag[1], 0x6fff);
	begin(MACS "0800" TCP4);
	expect_ok(DLT_EN10MB);
	ck_assert_uint_eq(extra.tags, 0);
	ck_assert_uint_eq(extra.tag[0], 0);
}
END_TEST

UNIT(rfc3032_labels_are_noted_from_the_top_up_to_ten)
{
	begin(MACS "8847 0001 0aff 0002 01fe 45 00 0028 0001 0000 40 06 "
		   "0000" ADDRESSES4 TCP_HEADER);
	expect_ok(DLT_EN10MB);
	ck_assert_uint_eq(extra.labels, 2);
	ck_assert_uint_eq(extra.label_ttl, 255);
	ck_assert_mem_eq(extra.label[0], "\x00\x01\x0a", 3);
	ck_assert_mem_eq(extra.label[1], "\x00\x02\x01", 3);
	begin(MACS "8847");
	for (int i = 0; i < 11; i++)
		hex("fffff040");
	hex("000011 01" NO_OPTIONS TCP_HEADER);
	expect_ok(DLT_EN10MB);
	ck_assert_uint_eq(extra.labels, 12);
	ck_assert_mem_eq(extra.label[9], "\xff\xff\xf0", 3);
	ck_assert_uint_eq(extra.label_ttl, 0x40);
}
END_TEST

UNIT(the_ipv4_header_tells_ttl_length_identification_and_flags)
{
	begin("45 00 0028 1234 4000 3f 06 0000" ADDRESSES4 TCP_HEADER);
	expect_ok(DLT_RAW);
	ck_assert_uint_eq(extra.ttl, 0x3f);
	ck_assert_uint_eq(extra.ttl_min, 0x3f);
	ck_assert_uint_eq(extra.ttl_max, 0x3f);
	ck_assert_uint_eq(extra.shortest, 40);
	ck_assert_uint_eq(extra.longest, 40);
	ck_assert_uint_eq(extra.fragment_id, 0x1234);
	ck_assert_uint_eq(extra.fragment_flags, 0x40);
	ck_assert_uint_eq(extra.flow_label, 0);
	begin("45 00 0028 1234 e001 3f 06 0000" ADDRESSES4 TCP_HEADER);
	expect_ok(DLT_RAW);
	ck_assert_uint_eq(extra.fragment_flags, 0xe0);
	ck_assert_uint_eq(extra.tcp_sequence, 0); /* no header in a later one */
}
END_TEST

UNIT(ipv4_options_are_bits_by_their_number)
{
	static const struct {
		const char *options;
		uint32_t bits;
	} rows[] = {
		{ "94040000", 1U << 20 },             /* router alert */
		{ "01010101", 1U << 1 },              /* no operation */
		{ "01 07 03 04", 1U << 1 | 1U << 7 }, /* record route */
		{ "07 03 04 00", 1U << 7 | 1 },       /* end of options */
		{ "00 94 04 00", 1 },                 /* behind the end */
		{ "01 94 00 00", 1U << 1 },           /* a length of 0 */
		{ "01 01 94 08", 1U << 1 },           /* beyond the header */
		{ "01 01 01 94", 1U << 1 },           /* without a length */
	};

	for (size_t i = 0; i < LENGTH(rows); i++) {
		begin("46 00 002c 0001 0000 40 06 0000" ADDRESSES4);
		hex(rows[i].options);
		hex(TCP_HEADER);
		expect_ok(DLT_RAW);
		ck_assert_uint_eq(extra.ip_options, rows[i].bits);
		ck_assert_uint_eq(extra.tcp_sequence, 1);
		ck_assert_uint_eq(extra.tcp_acknowledgement, 2);
		ck_assert_uint_eq(extra.tcp_window, 0xffff);
	}
}
END_TEST

UNIT(tcp_options_are_bits_by_their_kind)
{
	static const struct {
		const char *offset, *options;
		uint64_t bits;
	} rows[] = {
		{ "a0", "020405b4 0402 080a 00000001 00000000 01 030307",
		    0x11e },
		{ "60", "01010101", 2 }, { "60", "02 04 05 b4", 4 },
		{ "50", "02 04 05 b4", 0 },                 /* it is data */
		{ "60", "02 00 05 b4", 0 },                 /* a length of 0 */
		{ "60", "01 02 08 00", 2 },                 /* beyond */
		{ "60", "3f 02 40 02", UINT64_C(1) << 63 }, /* 64 has no bit */
		{ "60", "fe 04 00 00", 0 },
		{ "00", "02 04 05 b4", 0 }, /* no offset below 5 */
		{ "f0", "02 04 05 b4", 4 }, /* cut off */
	};

	for (size_t i = 0; i < LENGTH(rows); i++) {
		begin("45 00 0000 0001 0000 40 06 0000" ADDRESSES4
		      "01bb c000 00000001 00000002");
		hex(rows[i].offset);
		hex("02 0000 0000 0000");
		hex(rows[i].options);
		expect_ok(DLT_RAW);
		ck_assert_msg(extra.tcp_options == rows[i].bits, "%s: %jx",
		    rows[i].options, (uintmax_t)extra.tcp_options);
	}
}
END_TEST

UNIT(nothing_behind_the_datagram_is_told_of)
{
	/* Ethernet padding that looks like TCP options */
	begin(MACS "0800 45 00 0028 0001 0000 40 06 0000" ADDRESSES4
		   "01bb c000 00000001 00000002 6002 0000 0000 0000"
		   "020405b4 0000");
	expect_ok(DLT_EN10MB);
	ck_assert_uint_eq(extra.tcp_options, 0);
	/* NFLOG: the attribute ends, and another one follows */
	begin("02000000 2c00 0900 45 00 00ff 0001 0000 40 06 0000" ADDRESSES4
	      "01bb c000 00000001 00000002 6002 0000 0000 0000"
	      "0200 0400 0402 0000");
	expect_ok(DLT_NFLOG);
	ck_assert_uint_eq(extra.tcp_window, 0);
	ck_assert_uint_eq(extra.tcp_sequence, 1);
	ck_assert_uint_eq(extra.tcp_options, 0);
	/* an ICMP error has the header of another packet in it */
	begin("45 00 0044 0001 0000 40 01 0000" ADDRESSES4
	      "0301 0000 00000000" NO_OPTIONS TCP_HEADER);
	expect_ok(DLT_RAW);
	ck_assert_uint_eq(extra.tcp_sequence, 0);
}
END_TEST

UNIT(rfc8200_the_ipv6_header_tells_label_hop_limit_and_length)
{
	begin(UDP6);
	expect_ok(DLT_RAW);
	ck_assert_uint_eq(extra.flow_label, 0x12345);
	ck_assert_uint_eq(extra.ttl, 0x40);
	ck_assert_uint_eq(extra.shortest, UDP6_LEN);
	ck_assert_uint_eq(extra.fragment_id, 0);
	ck_assert_uint_eq(extra.ipv6_extensions, 0);
}
END_TEST

UNIT(extension_headers_are_bits_of_information_element_64)
{
	static const struct {
		const char *next, *chain;
		uint32_t bits, fragment_id;
		unsigned flags;
	} rows[] = {
		{ "00", "0600000000000000" TCP_HEADER, 1U << 1, 0, 0 },
		{ "3c", "0600000000000000" TCP_HEADER, 1U << 0, 0, 0 },
		{ "2b", "0600000000000000" TCP_HEADER, 1U << 5, 0, 0 },
		{ "00",
		    "2b00000000000000 3c00000000000000 "
		    "0600000000000000" TCP_HEADER,
		    1U << 1 | 1U << 5 | 1U << 0, 0, 0 },
		{ "2c", "0600000111223344" TCP_HEADER, 1U << 4, 0x11223344,
		    0x20 },
		{ "2c", "0600000011223344" TCP_HEADER, 1U << 4, 0x11223344,
		    0 }, /* atomic */
		{ "2c", "0600000911223344" TCP_HEADER, 1U << 6, 0x11223344,
		    0x20 },
		{ "33", "0601000000000000 00000000" TCP_HEADER, 1U << 14, 0,
		    0 },
		{ "32", "0102030405060708", 1U << 13, 0, 0 },
		{ "87", "3b00050000000000", 1U << 12, 0, 0 },
		{ "6c", "0600000000000000", 1U << 15, 0, 0 },
		{ "11", "0035 14e9 0008 0000", 0, 0, 0 },
	};

	for (size_t i = 0; i < LENGTH(rows); i++) {
		bool tcp = strstr(rows[i].chain, TCP_HEADER) != NULL &&
			   rows[i].bits != 1U << 6;

		begin("60000000 0000");
		hex(rows[i].next);
		hex("40" ADDRESSES6);
		hex(rows[i].chain);
		octets[4] = 0;
		octets[5] = (uint8_t)(wb_len(&frame) - 40);
		expect_ok(DLT_RAW);
		ck_assert_msg(extra.ipv6_extensions == rows[i].bits,
		    "header %s: %x", rows[i].next, extra.ipv6_extensions);
		ck_assert_uint_eq(extra.fragment_id, rows[i].fragment_id);
		ck_assert_uint_eq(extra.fragment_flags, rows[i].flags);
		ck_assert_uint_eq(extra.tcp_sequence, tcp ? 1 : 0);
	}
}
END_TEST

UNIT(packets_after_the_first_move_bounds_and_add_bits)
{
	struct packet_extra sum = { .tcp_options = 1,
		.ip_options = 2,
		.ipv6_extensions = 4,
		.shortest = 50,
		.longest = 60,
		.ttl = 9,
		.ttl_min = 9,
		.ttl_max = 9,
		.tcp_sequence = 7 };
	struct packet_extra one = { .tcp_options = 8,
		.ip_options = 16,
		.ipv6_extensions = 32,
		.shortest = 40,
		.longest = 40,
		.ttl = 64,
		.ttl_min = 64,
		.ttl_max = 64,
		.tcp_sequence = 8,
		.labels = 1 };

	extra_merge(&sum, &one);
	ck_assert_uint_eq(sum.tcp_options, 9);
	ck_assert_uint_eq(sum.ip_options, 18);
	ck_assert_uint_eq(sum.ipv6_extensions, 36);
	ck_assert_uint_eq(sum.shortest, 40);
	ck_assert_uint_eq(sum.longest, 60);
	ck_assert_uint_eq(sum.ttl, 9);
	ck_assert_uint_eq(sum.ttl_min, 9);
	ck_assert_uint_eq(sum.ttl_max, 64);
	ck_assert_uint_eq(sum.tcp_sequence, 7);
	ck_assert_uint_eq(sum.labels, 0);
}
END_TEST

/*
 * Captures
 */

/* Every truncation under its own link type, the whole under all others. */
static void
decode_capture(const char *path)
{
	char errbuf[PCAP_ERRBUF_SIZE];
	pcap_t *pcap = pcap_open_offline(path, errbuf);
	struct pcap_pkthdr *header;
	const uint8_t *data;
	int own, more;

	ck_assert_msg(pcap != NULL, "%s: %s", path, errbuf);
	own = pcap_datalink(pcap);
	while ((more = pcap_next_ex(pcap, &header, &data)) == 1) {
		decode_truncations(own, data, header->caplen, header->len);
		for (size_t i = 0; i < LENGTH(known_links); i++)
			decode_exact(
			    known_links[i], data, header->caplen, header->len);
	}
	ck_assert_msg(
	    more == PCAP_ERROR_BREAK, "%s: %s", path, pcap_geterr(pcap));
	pcap_close(pcap);
}

UNIT(every_truncation_of_every_packet_of_the_captures_decodes)
{
	const char *directory = getenv("SOFTPROBE_PCAPS");
	struct dirent *entry;
	unsigned captures = 0;
	char path[4096];
	DIR *dir;

	if (directory == NULL)
		directory = "tests/pcap";
	dir = opendir(directory);
	ck_assert_msg(dir != NULL, "%s: cannot open", directory);
	while ((entry = readdir(dir)) != NULL) {
		if (strstr(entry->d_name, ".pcap") == NULL)
			continue;
		(void)snprintf(
		    path, sizeof(path), "%s/%s", directory, entry->d_name);
		decode_capture(path);
		captures++;
	}
	closedir(dir);
	ck_assert_uint_gt(captures, 0);
}
END_TEST

UNIT_MAIN("decode", ethernet_ipv4_tcp_fills_every_field,
    ethernet_ipv6_udp_fills_every_field, every_link_type_reaches_ipv4_and_ipv6,
    every_link_type_of_the_table_is_known,
    a_link_type_without_decoder_discards_every_frame,
    stacks_of_tags_labels_and_ppp_reach_ip,
    ipv6_below_a_control_word_is_recognised,
    a_stack_may_be_16_layers_deep_and_no_deeper,
    a_label_stack_may_be_16_deep_and_no_deeper, snap_in_snap_in_snap_ends,
    every_discard_has_its_reason_and_ethertype, reasons_have_names_of_their_own,
    the_version_field_decides_whatever_the_ethertype_says,
    wifi_addresses_follow_the_ds_bits, wifi_qos_and_ht_control_are_stepped_over,
    cooked_capture_gives_the_source_address_if_it_has_6_octets,
    the_interface_of_the_link_layer_wins_over_the_capture,
    the_link_layer_tells_the_direction_where_it_has_one,
    pflog_headers_of_all_ages_tell_the_direction,
    nflog_tells_both_interfaces_and_the_direction,
    pflog_headers_of_all_ages_are_stepped_over,
    nflog_attributes_before_the_datagram_are_stepped_over,
    nflog_believes_the_ip_length_of_a_shortened_copy,
    nflog_without_end_is_left_after_32_attributes,
    ipv4_options_are_stepped_over, octets_are_the_ip_length_and_not_the_padding,
    padding_is_never_read_as_a_transport_header,
    octets_are_not_limited_by_the_snap_length,
    length_0_of_segmentation_offload_takes_the_wire_length,
    a_length_beyond_the_frame_takes_the_wire_length,
    a_wire_length_below_the_captured_one_counts_as_equal,
    ipv4_fragments_are_told_apart,
    ports_behind_an_authentication_header_are_read_in_ipv4,
    ipv6_extension_numbers_end_an_ipv4_datagram,
    every_ipv6_extension_header_is_stepped_over, ipv6_fragments_are_told_apart,
    a_later_ipv6_fragment_is_not_walked_further,
    headers_that_end_the_chain_have_no_ports,
    ipv6_may_have_12_extension_headers_and_no_more, a_chain_of_one_octet_ends,
    a_chain_cut_off_is_accounted_as_far_as_it_is_known,
    a_chain_that_overruns_its_datagram_is_not_followed,
    a_jumbogram_has_its_length_in_the_hop_by_hop_options,
    a_false_jumbo_length_takes_the_wire_length,
    an_ipv6_payload_length_of_0_takes_the_wire_length,
    an_ipv6_header_with_no_next_header_is_40_octets,
    an_ipv6_length_beyond_the_frame_takes_the_wire_length,
    five_protocols_have_ports,
    tcp_control_bits_are_12_and_without_the_data_offset,
    queries_of_icmp_have_their_identifier,
    icmp_type_and_code_are_the_destination_port,
    a_short_transport_header_gives_what_is_whole,
    tags_are_noted_from_the_outside_in_and_the_first_two,
    rfc3032_labels_are_noted_from_the_top_up_to_ten,
    the_ipv4_header_tells_ttl_length_identification_and_flags,
    ipv4_options_are_bits_by_their_number, tcp_options_are_bits_by_their_kind,
    nothing_behind_the_datagram_is_told_of,
    rfc8200_the_ipv6_header_tells_label_hop_limit_and_length,
    extension_headers_are_bits_of_information_element_64,
    packets_after_the_first_move_bounds_and_add_bits,
    every_truncation_of_every_packet_of_the_captures_decodes)

/* SPDX-License-Identifier: ISC */
/*
 * generate.c - capture files for the bench: the same octets for the same
 * arguments, on every run.
 *
 *	generate WORKLOAD PACKETS >FILE
 *	generate list
 *
 * Classic pcap in the host's byte order, 96 octets of each frame.  It uses
 * neither libpcap nor the modules under test.  Checksums are left 0, and
 * nothing is random but the draws of one generator with a fixed seed.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"

#define SNAPLEN 96
#define FRAME_MIN 60 /* Ethernet without its checksum */
#define FRAME_MAX 1514
#define PCAP_MAGIC UINT32_C(0xa1b2c3d4)
#define DLT_EN10MB 1
#define EPOCH_S UINT32_C(1704067200) /* 2024-01-01 */
#define NS_PER_S UINT64_C(1000000000)
#define SEED UINT64_C(0x9e3779b97f4a7c15)

enum { ICMP = 1, TCP = 6, UDP = 17, ICMPV6 = 58 };
enum { FIN_ACK = 0x11, RST = 0x04, PSH_ACK = 0x18 };

/* Which flow the next packet belongs to. */
enum draw {
	UNIFORM,
	ZIPF, /* each octave of ranks as likely as the next: exponent 1 */
	CHURN /* a flow of its own */
};

static const struct workload {
	const char *name;
	uint32_t flows;
	enum draw draw;
	uint32_t gap_ns;   /* between packets */
	uint16_t wire_len; /* of a frame, at least */
	bool sequential;   /* addresses that count up, all else alike */
	bool with_ipv6;    /* every other flow, and a VLAN tag on all */
	bool two_way;      /* packets of both directions, and flows that end */
	const char *what;
} workloads[] = {
	/* clang-format off */
	{ "few",        1000,    UNIFORM, 20000, FRAME_MIN, false, false, false, "1,000 flows" },
	{ "10k",        10000,   UNIFORM, 20000, FRAME_MIN, false, false, false, "10,000 flows" },
	{ "100k",       100000,  UNIFORM, 20000, FRAME_MIN, false, false, false, "100,000 flows" },
	{ "1m",         1000000, UNIFORM, 20000, FRAME_MIN, false, false, false, "1 M flows, uniform" },
	{ "1m-zipf",    1000000, ZIPF,    20000, FRAME_MIN, false, false, false, "1 M flows, zipf" },
	{ "4m",         4000000, UNIFORM, 5000,  FRAME_MIN, false, false, false, "4 M flows" },
	{ "churn",      0,       CHURN,   20000, FRAME_MIN, false, false, false, "a flow for each packet" },
	{ "ipv6-vlan",  100000,  UNIFORM, 20000, FRAME_MIN, false, true,  false, "100,000 flows, half IPv6, VLAN tags" },
	{ "sequential", 1000000, UNIFORM, 20000, FRAME_MIN, true,  false, false, "1 M flows, sequential keys" },
	{ "full-size",  100000,  UNIFORM, 20000, FRAME_MAX, false, false, false, "100,000 flows, full-size packets" },
	{ "mixed",      20000,   ZIPF,    1000000, FRAME_MIN, false, true, true, "20,000 flows, both directions, FIN and RST" },
	/* clang-format on */
};

#define NWORKLOADS (sizeof(workloads) / sizeof(workloads[0]))

/* What a packet shows of its flow. */
struct ends {
	uint8_t addr[2][16]; /* IPv4 in the first 4 octets */
	uint16_t port[2];
	uint8_t protocol;
	bool ipv6;
};

/* xorshift64*: Vigna 2016. */
static uint64_t
draw(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*state = x;
	return x * UINT64_C(0x2545f4914f6cdd1d);
}

/* A number below n. */
static uint32_t
draw_below(uint64_t *state, uint32_t n)
{
	return (uint32_t)((draw(state) >> 32) * n >> 32);
}

/* A permutation of 64 bits, so that different flows get different keys. */
static uint64_t
scatter(uint64_t x)
{
	x += SEED;
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static uint32_t
draw_zipf(uint64_t *state, uint32_t flows)
{
	uint32_t octaves = 1, rank;

	while (flows > UINT32_C(1) << octaves)
		octaves++;
	rank = UINT32_C(1) << draw_below(state, octaves);
	rank += draw_below(state, rank);
	return rank - 1;
}

static uint32_t
draw_flow(const struct workload *w, uint64_t *state, uint32_t nth)
{
	switch (w->draw) {
	case ZIPF:
		return draw_zipf(state, w->flows);
	case CHURN:
		return nth;
	default:
		return draw_below(state, w->flows);
	}
}

static void
put_address(uint8_t *at, uint32_t host, bool ipv6)
{
	static const uint8_t documentation[4] = { 0x20, 0x01, 0x0d, 0xb8 };
	struct wbuf w = wb_init(at, 16);

	if (ipv6)
		wb_put(&w, documentation, 4);
	wb_zero(&w, ipv6 ? 8 : 0);
	wb_u32(&w, host);
	wb_zero(&w, wb_room(&w));
}

static uint8_t
protocol_of(uint64_t h, bool ipv6)
{
	if (h % 16 == 0)
		return ipv6 ? ICMPV6 : ICMP;
	return h % 4 == 1 ? UDP : TCP;
}

static struct ends
ends_of(const struct workload *w, uint32_t flow)
{
	static const uint16_t service[] = { 443, 80, 53, 22, 25, 123, 993,
		8080 };
	uint64_t h = w->sequential ? 1 : scatter(flow);
	uint32_t host = w->sequential ? flow : (uint32_t)(h & 0xffffff);
	struct ends e = { .ipv6 = w->with_ipv6 && flow % 2 == 1 };

	put_address(e.addr[0], UINT32_C(0x0a000000) + host, e.ipv6);
	put_address(e.addr[1],
	    UINT32_C(0xac100000) + (uint32_t)(h >> 24 & 0xfffff), e.ipv6);
	e.port[0] = (uint16_t)(h >> 44 | 1);
	e.port[1] = service[h >> 60 & 7];
	e.protocol = protocol_of(h >> 48, e.ipv6);
	if (e.protocol == ICMP || e.protocol == ICMPV6) {
		e.port[0] = e.protocol == ICMP ? 8 << 8 : 128 << 8;
		e.port[1] = 0;
	}
	return e;
}

static void
put_ipv4(struct wbuf *w, const struct ends *e, int from, uint16_t len)
{
	wb_u16(w, 0x4500);
	wb_u16(w, len);
	wb_u32(w, 0x4000); /* identification 0, do not fragment */
	wb_u8(w, 64);
	wb_u8(w, e->protocol);
	wb_u16(w, 0);
	wb_put(w, e->addr[from], 4);
	wb_put(w, e->addr[!from], 4);
}

static void
put_ipv6(struct wbuf *w, const struct ends *e, int from, uint16_t len)
{
	wb_u32(w, UINT32_C(6) << 28);
	wb_u16(w, (uint16_t)(len - 40));
	wb_u8(w, e->protocol);
	wb_u8(w, 64);
	wb_put(w, e->addr[from], 16);
	wb_put(w, e->addr[!from], 16);
}

static void
put_transport(
    struct wbuf *w, const struct ends *e, int from, uint8_t flags, uint16_t len)
{
	wb_u16(w, e->port[from]);
	wb_u16(w, e->port[!from]);
	if (e->protocol == UDP)
		wb_u16(w, len);
	if (e->protocol != TCP)
		return;
	wb_zero(w, 8); /* sequence and acknowledgement */
	wb_u8(w, 5 << 4);
	wb_u8(w, flags);
}

static uint8_t
draw_tcp_flags(const struct workload *w, uint64_t *state)
{
	uint32_t n = w->two_way ? draw_below(state, 256) : 255;

	return n == 0 ? RST : n < 8 ? FIN_ACK : PSH_ACK;
}

/* One frame of wire_len octets; returns how many of them are captured. */
static size_t
make_frame(const struct workload *w, uint64_t *state, uint32_t flow,
    uint8_t frame[SNAPLEN], size_t *wire_len)
{
	struct ends e = ends_of(w, flow);
	int from = w->two_way ? (int)draw_below(state, 2) : 0;
	struct wbuf b = wb_init(frame, SNAPLEN);
	size_t link_len = w->with_ipv6 ? 18 : 14;
	size_t min_len = link_len + (e.ipv6 ? 40 : 20) + 20;
	uint16_t ip_len;

	*wire_len = w->wire_len > min_len ? w->wire_len : min_len;
	ip_len = (uint16_t)(*wire_len - link_len);
	wb_uint(&b, UINT64_C(0x020000000001), 6);
	wb_uint(&b, UINT64_C(0x020000000002), 6);
	if (w->with_ipv6) {
		wb_u16(&b, 0x8100);
		wb_u16(&b, (uint16_t)(100 + flow % 8));
	}
	wb_u16(&b, e.ipv6 ? 0x86dd : 0x0800);
	if (e.ipv6)
		put_ipv6(&b, &e, from, ip_len);
	else
		put_ipv4(&b, &e, from, ip_len);
	put_transport(&b, &e, from, draw_tcp_flags(w, state),
	    (uint16_t)(ip_len - (e.ipv6 ? 40 : 20)));
	wb_zero(&b, wb_room(&b));
	return *wire_len < SNAPLEN ? *wire_len : SNAPLEN;
}

static void
put_native(FILE *out, const void *words, size_t len)
{
	if (fwrite(words, len, 1, out) != 1) {
		perror("generate");
		exit(EXIT_FAILURE);
	}
}

static void
generate(const struct workload *w, uint32_t packets, FILE *out)
{
	const uint16_t version[2] = { 2, 4 };
	const uint32_t rest[4] = { 0, 0, SNAPLEN, DLT_EN10MB };
	const uint32_t magic = PCAP_MAGIC;
	uint64_t state = SEED;
	uint8_t frame[SNAPLEN];

	put_native(out, &magic, sizeof(magic));
	put_native(out, version, sizeof(version));
	put_native(out, rest, sizeof(rest));
	for (uint32_t n = 0; n < packets; n++) {
		uint32_t flow = draw_flow(w, &state, n);
		uint64_t at_ns = (uint64_t)n * w->gap_ns;
		size_t wire_len, len;
		uint32_t header[4];

		len = make_frame(w, &state, flow, frame, &wire_len);
		header[0] = EPOCH_S + (uint32_t)(at_ns / NS_PER_S);
		header[1] = (uint32_t)(at_ns % NS_PER_S / 1000);
		header[2] = (uint32_t)len;
		header[3] = (uint32_t)wire_len;
		put_native(out, header, sizeof(header));
		put_native(out, frame, len);
	}
}

int
main(int argc, char **argv)
{
	static char buffer[1 << 20];
	uintmax_t packets = argc == 3 ? strtoumax(argv[2], NULL, 10) : 0;

	if (argc == 2 && strcmp(argv[1], "list") == 0) {
		for (size_t i = 0; i < NWORKLOADS; i++)
			printf("%s\t%" PRIu32 "\t%s\n", workloads[i].name,
			    workloads[i].flows, workloads[i].what);
		return EXIT_SUCCESS;
	}
	setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
	for (size_t i = 0; i < NWORKLOADS; i++) {
		if (packets == 0 || packets > UINT32_MAX ||
		    strcmp(argv[1], workloads[i].name) != 0)
			continue;
		generate(&workloads[i], (uint32_t)packets, stdout);
		return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
	}
	fprintf(stderr, "usage: generate WORKLOAD PACKETS >FILE\n"
			"       generate list\n");
	return 2;
}

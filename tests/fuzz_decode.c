/* SPDX-License-Identifier: ISC */
/*
 * fuzz_decode.c - any octets as a frame of any link type.
 *
 * The first two octets choose the link type and how much longer the frame was
 * on the wire; the rest is what was captured of it.  Decoding twice into
 * differently poisoned packets shows a field that is not set.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "decode.h"
#include "extra.h"
#include "fragment.h"

static const int links[] = { 0, 1, 9, 12, 14, 50, 51, 101, 104, 105, 108, 113,
	117, 127, 192, 228, 229, 239, 276, 147 };

/* Octets not captured, by the second octet. */
static const size_t uncaptured[] = { 0, 4, 1400, 70000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(int condition)
{
	if (!condition)
		abort();
}

static void
check_equal(const struct packet *a, const struct packet *b)
{
	require(memcmp(a->src, b->src, sizeof(a->src)) == 0);
	require(memcmp(a->dst, b->dst, sizeof(a->dst)) == 0);
	require(memcmp(a->src_mac, b->src_mac, sizeof(a->src_mac)) == 0);
	require(memcmp(a->dst_mac, b->dst_mac, sizeof(a->dst_mac)) == 0);
	require(a->octets == b->octets && a->fragment_id == b->fragment_id);
	require(a->src_port == b->src_port && a->dst_port == b->dst_port);
	require(a->tcp_flags == b->tcp_flags && a->vlan == b->vlan);
	require(a->ethertype == b->ethertype && a->protocol == b->protocol);
	require(a->ip_version == b->ip_version && a->tos == b->tos);
	require(a->fragment == b->fragment && a->notes == b->notes);
}

static void
check_packet(const struct packet *p, size_t wirelen)
{
	require(p->ip_version == 4 || p->ip_version == 6);
	require(p->octets >= (p->ip_version == 4 ? 20 : 40));
	require(p->octets <= wirelen || p->octets <= 65575); /* NFLOG */
	require(p->vlan < 4096 && p->tcp_flags < 4096);
	require(p->fragment <= FRAGMENT_LATER);
	require(p->fragment != FRAGMENT_LATER ||
		(p->src_port == 0 && p->dst_port == 0));
}

/* Fragments of all inputs meet in one small table. */
static void
join(struct packet *p)
{
	static struct fragment_table *table;

	if (table == NULL)
		table = fragment_new(16);
	require(table != NULL);
	p->clock_ns = 0;
	if (p->fragment != FRAGMENT_NONE)
		fragment_join(table, p);
}

/* It depends on the frame alone, too, and says what the packet says. */
static void
check_extra(const struct packet_extra *a, const struct packet_extra *b,
    enum decode_status status, const struct packet *p)
{
	const uint8_t *octets = (const void *)a, *again = (const void *)b;

	require(memcmp(octets, again, sizeof(*a)) == 0);
	if (status != DECODE_OK)
		return;
	require(a->shortest == p->octets && a->longest == p->octets);
	require((a->tag[0] & 0x0fff) == p->vlan);
	require(a->tags <= 2 && a->flow_label <= 0xfffff);
	require(p->protocol == 6 || p->fragment == FRAGMENT_LATER ||
		(a->tcp_options == 0 && a->tcp_sequence == 0));
	if (p->ip_version == 4 && p->fragment != FRAGMENT_NONE)
		require(a->fragment_id == p->fragment_id);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct packet a, b;
	struct packet_extra extra, again;
	enum decode_status status;
	decode_fn *decode;
	size_t wirelen;
	int dlt;

	if (size < 2)
		return 0;
	dlt = links[data[0] % (sizeof(links) / sizeof(*links))];
	decode = decode_for(dlt);
	wirelen = size - 2 + uncaptured[data[1] % 4];
	memset(&a, 0x55, sizeof(a));
	memset(&b, 0xaa, sizeof(b));
	memset(&extra, 0x55, sizeof(extra));
	memset(&again, 0xaa, sizeof(again));
	status = decode(data + 2, size - 2, wirelen, &a);
	require(status < DECODE_STATUSES);
	require(status ==
		decode_extra(dlt, data + 2, size - 2, wirelen, &b, &extra));
	check_equal(&a, &b);
	require(status ==
		decode_extra(dlt, data + 2, size - 2, wirelen, &b, &again));
	check_extra(&extra, &again, status, &b);
	if (status == DECODE_OK) {
		check_packet(&a, wirelen);
		join(&a);
	}
	return 0;
}

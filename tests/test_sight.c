/* SPDX-License-Identifier: ISC */
/*
 * test_sight.c - which sighting of a packet counts, and what interfaces its
 * flow is told to have passed.
 */
#include <string.h>

#include "sight.h"
#include "unit.h"

enum { LAN = 2, WAN = 3, DMZ = 4, PORT = 5, BRIDGE = 6, TUNNEL = 7 };

static struct sight sight;
static unsigned counted;

static void
begin(void)
{
	memset(&sight, 0, sizeof(sight));
	counted = 0;
}

/* See one packet; returns whether it counts. */
static bool
see(uint32_t ms, enum packet_direction direction, uint32_t ifindex,
    unsigned depth)
{
	struct packet p = { .ifindex = ifindex };
	bool counts;

	p.direction = direction & 3U;
	p.depth = depth & 15U;
	counts = sight_counts(&sight, &p, ms);
	counted += counts;
	return counts;
}

static void
expect(enum packet_direction direction, uint32_t ingress, uint32_t egress)
{
	struct flow_half half = { 0 };

	sight_fill(&sight, &half);
	ck_assert_uint_eq(half.direction, direction);
	ck_assert_uint_eq(half.ingress, ingress);
	ck_assert_uint_eq(half.egress, egress);
}

UNIT(forwarded_packets_count_as_they_come_in)
{
	begin();
	for (uint32_t ms = 0; ms < 100000; ms += 1000) {
		ck_assert(see(ms, DIRECTION_IN, LAN, 0));
		ck_assert(!see(ms, DIRECTION_OUT, WAN, 0));
	}
	expect(DIRECTION_IN, LAN, WAN);
}
END_TEST

UNIT(packets_that_the_router_drops_count_too)
{
	begin();
	for (uint32_t ms = 0; ms < 100; ms++) {
		ck_assert(see(ms, DIRECTION_IN, LAN, 0));
		if (ms % 3 == 0)
			ck_assert(!see(ms, DIRECTION_OUT, WAN, 0));
	}
}
END_TEST

UNIT(packets_of_the_box_count_as_they_leave)
{
	begin();
	for (uint32_t ms = 0; ms < 100000; ms += 1000)
		ck_assert(see(ms, DIRECTION_OUT, WAN, 0));
	expect(DIRECTION_OUT, 0, WAN);
}
END_TEST

UNIT(packets_to_the_box_count_as_they_come_in)
{
	begin();
	ck_assert(see(0, DIRECTION_IN, WAN, 0));
	expect(DIRECTION_IN, WAN, 0);
}
END_TEST

UNIT(one_datagram_that_leaves_as_two_fragments_is_one)
{
	begin();
	ck_assert(see(0, DIRECTION_IN, LAN, 0));
	ck_assert(!see(0, DIRECTION_OUT, WAN, 0));
	ck_assert(!see(0, DIRECTION_OUT, WAN, 0));
	ck_assert_uint_eq(counted, 1);
}
END_TEST

/* Interfaces are read one after the other, in any order. */
UNIT(the_order_in_which_interfaces_are_read_changes_no_count)
{
	for (uint32_t seed = 1; seed <= 2000; seed++) {
		uint32_t n = 1 + seed % 50, in = 0, out = 0, x = seed;

		begin();
		while (in < n || out < n) {
			x = x * UINT32_C(1664525) + UINT32_C(1013904223);
			if (in < n && (out == n || x >> 31))
				see(in++, DIRECTION_IN, LAN, 0);
			else
				see(out++, DIRECTION_OUT, WAN, 0);
		}
		ck_assert_uint_eq(counted, n);
		expect(DIRECTION_IN, LAN, WAN);
	}
}
END_TEST

UNIT(three_sightings_in_any_order_are_one_packet)
{
	static const enum packet_direction way[3] = { DIRECTION_IN,
		DIRECTION_IN, DIRECTION_OUT };
	static const uint32_t ifindex[3] = { PORT, BRIDGE, WAN };

	for (uint32_t seed = 1; seed <= 2000; seed++) {
		uint32_t n = 1 + seed % 20, x = seed, done[3] = { 0 }, i;

		begin();
		for (uint32_t left = 3 * n; left > 0;) {
			x = x * UINT32_C(1664525) + UINT32_C(1013904223);
			i = (x >> 24) % 3;
			if (done[i] == n)
				continue;
			see(done[i]++, way[i], ifindex[i], i == 1);
			left--;
		}
		ck_assert_uint_eq(counted, n);
		expect(DIRECTION_IN, BRIDGE, WAN);
	}
}
END_TEST

UNIT(flooding_by_a_bridge_is_one_packet)
{
	begin();
	ck_assert(see(0, DIRECTION_OUT, BRIDGE, 1));
	ck_assert(!see(0, DIRECTION_OUT, PORT, 0));
	ck_assert(!see(0, DIRECTION_OUT, PORT + 10, 0));
	expect(DIRECTION_OUT, 0, BRIDGE);
}
END_TEST

UNIT(two_ways_in_are_two_packets)
{
	begin();
	ck_assert(see(0, DIRECTION_IN, WAN, 0));
	ck_assert(see(0, DIRECTION_IN, DMZ, 0));
	ck_assert(!see(0, DIRECTION_OUT, LAN, 0));
	ck_assert(!see(0, DIRECTION_OUT, LAN, 0));
	expect(DIRECTION_IN, DMZ, LAN);
}
END_TEST

/* It came in by an interface that is not watched, and now by one that is. */
UNIT(a_path_that_changes_later_loses_no_packet)
{
	begin();
	for (uint32_t ms = 0; ms < 10000; ms += 100)
		ck_assert(see(ms, DIRECTION_OUT, WAN, 0));
	for (uint32_t ms = 10000; ms < 20000; ms += 100) {
		ck_assert(see(ms, DIRECTION_IN, LAN, 0));
		ck_assert(!see(ms, DIRECTION_OUT, WAN, 0));
	}
	ck_assert_uint_eq(counted, 200);
}
END_TEST

/* A capture that lost packets owes them no longer than they can be late. */
UNIT(what_was_lost_is_not_waited_for)
{
	begin();
	for (int i = 0; i < 5; i++)
		ck_assert(see(0, DIRECTION_OUT, WAN, 0));
	ck_assert(!see(1, DIRECTION_IN, LAN, 0)); /* the other 4 are lost */
	ck_assert(see(2 * SIGHT_SKEW_MS + SIGHT_TICK_MS, DIRECTION_IN, LAN, 0));
}
END_TEST

UNIT(unknown_direction_stands_between_in_and_out)
{
	begin();
	ck_assert(see(0, DIRECTION_IN, LAN, 0));
	ck_assert(!see(0, DIRECTION_UNKNOWN, TUNNEL, 0));
	expect(DIRECTION_IN, LAN, TUNNEL);
	begin();
	ck_assert(see(0, DIRECTION_UNKNOWN, TUNNEL, 0));
	ck_assert(!see(0, DIRECTION_OUT, LAN, 0));
	expect(DIRECTION_UNKNOWN, TUNNEL, LAN);
	begin();
	ck_assert(see(0, DIRECTION_UNKNOWN, TUNNEL, 0));
	expect(DIRECTION_UNKNOWN, TUNNEL, 0);
}
END_TEST

UNIT(a_port_below_is_not_the_other_end)
{
	begin();
	ck_assert(see(0, DIRECTION_UNKNOWN, PORT, 0));
	ck_assert(!see(0, DIRECTION_IN, BRIDGE, 1));
	expect(DIRECTION_IN, BRIDGE, 0);
	begin();
	ck_assert(see(0, DIRECTION_OUT, BRIDGE, 1));
	ck_assert(!see(0, DIRECTION_UNKNOWN, PORT, 0));
	expect(DIRECTION_OUT, 0, BRIDGE);
}
END_TEST

UNIT(both_interfaces_of_one_packet_are_believed)
{
	struct packet p = { .ifindex = LAN, .egress = WAN };

	begin();
	p.direction = DIRECTION_IN;
	ck_assert(sight_counts(&sight, &p, 0));
	expect(DIRECTION_IN, LAN, WAN);
}
END_TEST

UNIT(counts_of_many_packets_at_once_do_not_wrap)
{
	begin();
	for (uint32_t i = 0; i < 100000; i++)
		ck_assert(see(0, DIRECTION_OUT, WAN, 0));
	for (uint32_t i = 0; i < UINT16_MAX; i++)
		ck_assert(!see(0, DIRECTION_IN, LAN, 0));
	ck_assert(see(0, DIRECTION_IN, LAN, 0));
}
END_TEST

UNIT_MAIN("sight", forwarded_packets_count_as_they_come_in,
    packets_that_the_router_drops_count_too,
    packets_of_the_box_count_as_they_leave,
    packets_to_the_box_count_as_they_come_in,
    one_datagram_that_leaves_as_two_fragments_is_one,
    the_order_in_which_interfaces_are_read_changes_no_count,
    three_sightings_in_any_order_are_one_packet,
    flooding_by_a_bridge_is_one_packet, two_ways_in_are_two_packets,
    a_path_that_changes_later_loses_no_packet, what_was_lost_is_not_waited_for,
    unknown_direction_stands_between_in_and_out,
    a_port_below_is_not_the_other_end,
    both_interfaces_of_one_packet_are_believed,
    counts_of_many_packets_at_once_do_not_wrap)

/* SPDX-License-Identifier: ISC */
/* test_router.c - records before they are exported, by routes of the test. */
#include <errno.h>
#include <string.h>

#include "record.h"
#include "route.h"
#include "router.h"
#include "unit.h"

enum { LAN = 2, WAN = 3 };

static const uint8_t inside[16] = { 10, 1, 0, 2 };
static const uint8_t behind[16] = { 10, 1, 0, 9 }; /* translated to from box */
static const uint8_t outside[16] = { 192, 0, 2, 1 };
static const uint8_t box[16] = { 198, 51, 100, 1 };

static unsigned int asked;
static struct route_query last;

/* 10/8 is the LAN, `box` is this machine, all else is the WAN. */
static int
ask(void *arg, const struct route_query *query, struct route *answer)
{
	(void)arg;
	asked++;
	last = *query;
	if (memcmp(query->dst, box, 16) == 0)
		*answer = (struct route){ ROUTE_LOCAL, 0 };
	else
		*answer = (struct route){ ROUTE_OUT,
			query->dst[0] == 10 ? LAN : WAN };
	return 0;
}

static struct router *
opened(bool lookup)
{
	const struct router_config config = { .lookup = lookup,
		.routes = routes_new_asking(ask, NULL) };
	struct router *r = router_new(&config);

	ck_assert_ptr_nonnull(r);
	asked = 0;
	return r;
}

/* A half of packets that were seen on an interface. */
static struct flow_half
half(enum packet_direction direction, uint32_t ifindex)
{
	struct flow_half h = { .packets = 3, .direction = direction & 3U };

	*(direction == DIRECTION_OUT ? &h.egress : &h.ingress) = ifindex;
	return h;
}

static struct flow_record
record(const uint8_t src[16], const uint8_t dst[16])
{
	struct flow_record r = { .ip_version = 4, .protocol = 17 };

	memcpy(r.src, src, 16);
	memcpy(r.dst, dst, 16);
	return r;
}

static void
check(const struct flow_half *h, uint32_t ingress, uint32_t egress)
{
	ck_assert_uint_eq(h->ingress, ingress);
	ck_assert_uint_eq(h->egress, egress);
}

UNIT(what_came_in_leaves_as_the_kernel_says)
{
	struct router *r = opened(true);
	struct flow_record f = record(inside, outside);

	f.fwd = half(DIRECTION_IN, LAN);
	ck_assert_int_eq(router_judge(r, &f), ROUTER_EXPORT);
	check(&f.fwd, LAN, WAN);
	check(&f.rev, 0, 0);
	ck_assert_uint_eq(last.ingress, LAN);
	ck_assert_mem_eq(last.src, inside, 16);
	router_free(r);
}
END_TEST

UNIT(what_left_came_from_where_answers_go)
{
	struct router *r = opened(true);
	struct flow_record f = record(inside, outside);

	f.fwd = half(DIRECTION_OUT, WAN);
	f.rev = half(DIRECTION_IN, WAN);
	(void)router_judge(r, &f);
	check(&f.fwd, LAN, WAN);
	check(&f.rev, WAN, LAN);
	ck_assert_uint_eq(asked, 1);

	f.fwd = half(DIRECTION_OUT, WAN);
	f.rev = (struct flow_half){ .packets = 0 };
	(void)router_judge(r, &f);
	check(&f.fwd, LAN, WAN);
	ck_assert_uint_eq(asked, 2);
	ck_assert_uint_eq(last.ingress, 0);
	router_free(r);
}
END_TEST

UNIT(the_box_itself_is_no_interface)
{
	struct router *r = opened(true);
	struct flow_record to = record(inside, box),
			   from = record(box, outside);

	to.fwd = half(DIRECTION_IN, LAN);
	to.rev = half(DIRECTION_OUT, LAN);
	(void)router_judge(r, &to);
	check(&to.fwd, LAN, 0);
	check(&to.rev, 0, LAN);
	from.fwd = half(DIRECTION_OUT, WAN);
	from.rev = half(DIRECTION_IN, WAN);
	(void)router_judge(r, &from);
	check(&from.fwd, 0, WAN);
	check(&from.rev, WAN, 0);
	router_free(r);
}
END_TEST

UNIT(nothing_is_asked_without_direction_or_of_groups_or_if_not_wanted)
{
	static const uint8_t group[16] = { 224, 0, 0, 5 };
	struct router *r = opened(true), *off = opened(false);
	struct flow_record f = record(inside, outside);
	struct flow_record multicast = record(inside, group);

	f.fwd = half(DIRECTION_UNKNOWN, LAN);
	(void)router_judge(r, &f);
	check(&f.fwd, LAN, 0);
	multicast.fwd = half(DIRECTION_IN, LAN);
	(void)router_judge(r, &multicast);
	check(&multicast.fwd, LAN, 0);
	f.fwd = half(DIRECTION_IN, LAN);
	(void)router_judge(off, &f);
	check(&f.fwd, LAN, 0);
	ck_assert_uint_eq(asked, 0);
	router_free(r);
	router_free(off);
}
END_TEST

UNIT(what_was_seen_is_not_asked)
{
	struct router *r = opened(true);
	struct flow_record f = record(inside, outside);

	f.fwd = half(DIRECTION_IN, LAN);
	f.fwd.egress = 7;
	(void)router_judge(r, &f);
	check(&f.fwd, LAN, 7);
	ck_assert_uint_eq(asked, 0);
	router_free(r);
}
END_TEST

UNIT(translated_packets_are_routed_by_where_they_go_to)
{
	struct router *r = opened(true);
	struct flow_record f = record(outside, box);
	struct flow_nat nat = { .half = { { .src_port = 0 } } };

	/* From outside to the box's address, and on to a server behind it. */
	memcpy(nat.half[0].src, outside, 16);
	memcpy(nat.half[0].dst, behind, 16);
	memcpy(nat.half[1].src, box, 16);
	memcpy(nat.half[1].dst, outside, 16);
	f.nat = &nat;
	f.fwd = half(DIRECTION_IN, WAN);
	f.rev = half(DIRECTION_OUT, WAN);
	(void)router_judge(r, &f);
	check(&f.fwd, WAN, LAN);
	check(&f.rev, LAN, WAN);
	router_free(r);
}
END_TEST

UNIT_MAIN("router", what_came_in_leaves_as_the_kernel_says,
    what_left_came_from_where_answers_go, the_box_itself_is_no_interface,
    nothing_is_asked_without_direction_or_of_groups_or_if_not_wanted,
    what_was_seen_is_not_asked,
    translated_packets_are_routed_by_where_they_go_to)

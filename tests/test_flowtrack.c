/* SPDX-License-Identifier: ISC */
/*
 * test_flowtrack.c - the flow cache: keys, accounting, timeouts, eviction.
 */
#include <errno.h>
#include <string.h>

#include "decode.h"
#include "extra.h"
#include "flowkey.h"
#include "flowtrack.h"
#include "unit.h"

#define T0 (UINT64_C(1600000000) * NS_PER_S) /* when the tests happen */
#define RECORDS_MAX 100000

enum { FIN = 0x01, SYN = 0x02, RST = 0x04, ACK = 0x10 };

static struct flow_record got[RECORDS_MAX];
static struct flow_extra got_extra[16]; /* of the first of them */
static size_t ngot;
static struct flowtrack *ft;
static struct flowtrack_config config;

static void
collect(const struct flow_record *r, void *arg)
{
	ck_assert_ptr_eq(arg, got);
	ck_assert_uint_lt(ngot, RECORDS_MAX);
	ck_assert(r->fwd.packets + r->rev.packets > 0);
	ck_assert_uint_le(r->fwd.start_ns, r->fwd.end_ns);
	ck_assert_uint_le(r->rev.start_ns, r->rev.end_ns);
	ck_assert_uint_ge(r->ended_ns, r->fwd.end_ns);
	if (r->extra != NULL && ngot < 16)
		got_extra[ngot] = *r->extra;
	got[ngot++] = *r;
}

/* A cache with the timeouts that the program has by default. */
static void
begin_with(enum flow_key_level key, uint32_t max_flows, bool extra)
{
	config = (struct flowtrack_config){
		.max_flows = max_flows,
		.key = key,
		.octets_max = UINT64_MAX,
		.extra = extra,
		.timeout_ms = { 60000, 60000, 10000, 10000, 60000, 60000,
		    300000, 0 },
	};
	ngot = 0;
	ft = flowtrack_new(&config, collect, got);
	ck_assert_ptr_nonnull(ft);
}

static void
begin(enum flow_key_level key, uint32_t max_flows)
{
	begin_with(key, max_flows, false);
}

/* All packets are in records, in the cache, or deleted; then free it. */
static void
end(void)
{
	const struct flowtrack_stats *s = flowtrack_stats(ft);
	uint32_t cursor = 0;
	uint64_t records = 0, packets = 0;

	while (flowtrack_sweep(ft, SWEEP_END, &cursor, 7))
		continue;
	ck_assert_uint_eq(s->active, 0);
	ck_assert_uint_eq(s->packets, s->ended_packets + s->deleted_packets);
	ck_assert_uint_eq(s->octets, s->ended_octets + s->deleted_octets);
	for (size_t i = 0; i < ngot; i++)
		packets += got[i].fwd.packets + got[i].rev.packets;
	for (int i = 0; i < FLOW_ENDS; i++)
		records += s->ended[i];
	ck_assert_uint_eq(packets, s->ended_packets);
	ck_assert_uint_eq(records, ngot);
	flowtrack_free(ft);
	ft = NULL;
}

/* A packet of protocol at `ms` after T0, from host src to host dst. */
static struct packet
packet(uint64_t ms, uint8_t protocol, uint32_t src, uint32_t dst)
{
	struct packet p = { .time_ns = T0 + ms * NS_PER_MS,
		.clock_ns = T0 + ms * NS_PER_MS,
		.octets = 100,
		.protocol = protocol,
		.ip_version = 4,
		.src_port = (uint16_t)(1000 + src),
		.dst_port = (uint16_t)(1000 + dst) };

	for (int i = 0; i < 4; i++) {
		p.src[i] = (uint8_t)(src >> 8 * i);
		p.dst[i] = (uint8_t)(dst >> 8 * i);
	}
	return p;
}

static void
add(struct packet p)
{
	flowtrack_add(ft, &p, NULL, 1);
}

static void
add_udp(uint64_t ms, uint32_t src, uint32_t dst)
{
	add(packet(ms, 17, src, dst));
}

static void
add_tcp(uint64_t ms, uint32_t src, uint32_t dst, uint16_t flags)
{
	struct packet p = packet(ms, 6, src, dst);

	p.tcp_flags = flags;
	add(p);
}

static void
expire(uint64_t ms)
{
	while (flowtrack_expire(ft, T0 + ms * NS_PER_MS, 3))
		continue;
}

/* Directions ------------------------------------------------------------- */

UNIT(both_directions_share_one_entry_with_own_counts)
{
	struct packet there = packet(0, 6, 2, 1), back = packet(700, 6, 1, 2);

	begin(KEY_FULL, 10);
	there.tos = 0x20;
	there.tcp_flags = SYN;
	back.tos = 0x40;
	back.tcp_flags = SYN | ACK;
	back.octets = 40;
	add(there);
	add(back);
	there.time_ns += NS_PER_S;
	there.clock_ns += NS_PER_S;
	there.tos = 0x60;
	add(there);
	ck_assert_uint_eq(flowtrack_stats(ft)->active, 1);
	end();
	ck_assert_uint_eq(ngot, 1);
	ck_assert_uint_eq(got[0].src[0], 2);
	ck_assert_uint_eq(got[0].src_port, 1002);
	ck_assert_uint_eq(got[0].dst_port, 1001);
	ck_assert_uint_eq(got[0].fwd.packets, 2);
	ck_assert_uint_eq(got[0].fwd.octets, 200);
	ck_assert_uint_eq(got[0].fwd.tos, 0x20);
	ck_assert_uint_eq(got[0].fwd.tcp_flags, SYN);
	ck_assert_uint_eq(got[0].fwd.start_ns, T0);
	ck_assert_uint_eq(got[0].fwd.end_ns, T0 + NS_PER_S);
	ck_assert_uint_eq(got[0].rev.packets, 1);
	ck_assert_uint_eq(got[0].rev.octets, 40);
	ck_assert_uint_eq(got[0].rev.tos, 0x40);
	ck_assert_uint_eq(got[0].rev.tcp_flags, SYN | ACK);
	ck_assert_uint_eq(got[0].rev.start_ns, T0 + 700 * NS_PER_MS);
	ck_assert_uint_eq(got[0].rev.end_ns, T0 + 700 * NS_PER_MS);
}
END_TEST

UNIT(source_is_the_side_that_sent_first_whatever_its_address)
{
	for (uint32_t first = 1; first <= 2; first++) {
		begin(KEY_FULL, 10);
		add_udp(0, first, 3 - first);
		add_udp(1, 3 - first, first);
		end();
		ck_assert_uint_eq(ngot, 1);
		ck_assert_uint_eq(got[0].src[0], first);
		ck_assert_uint_eq(got[0].dst[0], 3 - first);
	}
}
END_TEST

UNIT(packet_to_itself_is_one_flow_forward_only)
{
	begin(KEY_FULL, 10);
	add_udp(0, 5, 5);
	add_udp(1, 5, 5);
	end();
	ck_assert_uint_eq(ngot, 1);
	ck_assert_uint_eq(got[0].fwd.packets, 2);
	ck_assert_uint_eq(got[0].rev.packets, 0);
}
END_TEST

UNIT(icmp_type_and_code_are_no_ports)
{
	struct packet request = packet(0, 1, 2, 1), reply = packet(1, 1, 1, 2);

	begin(KEY_FULL, 10);
	request.src_port = reply.src_port = 0;
	request.dst_port = 8 * 256;
	reply.dst_port = 0;
	add(request);
	add(reply);
	end();
	ck_assert_uint_eq(ngot, 2);
	ck_assert_uint_eq(got[0].src_port, 0);
	ck_assert_uint_eq(got[0].dst_port, 2048);
	ck_assert_uint_eq(got[0].icmp, 2048);
	ck_assert_uint_eq(got[1].icmp, 0);
}
END_TEST

/* Keys ------------------------------------------------------------------- */

/* Two packets that differ in one field make how many flows at a level? */
static uint32_t
flows_of(
    enum flow_key_level key, const struct packet *a, const struct packet *b)
{
	uint32_t flows;

	begin(key, 10);
	add(*a);
	add(*b);
	flows = flowtrack_stats(ft)->active;
	end();
	return flows;
}

UNIT(each_key_level_tells_apart_what_it_names)
{
	struct packet a = packet(0, 17, 1, 2), b[7];
	/* the first level that tells a and b[i] apart; VLAN skips TOS */
	static const enum flow_key_level from[6] = { KEY_IP, KEY_PROTO,
		KEY_FULL, KEY_TOS, KEY_VLAN, KEY_ETHER };

	for (int i = 0; i < 6; i++)
		b[i] = packet(1, 17, 1, 2);
	b[0].dst[2] = 9;
	b[1].protocol = 136;
	b[2].dst_port++;
	b[3].tos = 4;
	b[4].vlan = 7;
	b[5].src_mac[5] = 1;
	for (int i = 0; i < 6; i++)
		for (enum flow_key_level k = 0; k < KEY_LEVELS; k++) {
			bool apart = k >= from[i] && (i != 3 || k == KEY_TOS);

			ck_assert_msg(flows_of(k, &a, &b[i]) == 1U + apart,
			    "field %d at level %s", i, flow_key_name(k));
		}
}
END_TEST

UNIT(ether_key_keeps_each_mac_with_its_endpoint)
{
	struct packet there = packet(0, 17, 2, 1), back = packet(1, 17, 1, 2);

	begin(KEY_ETHER, 10);
	there.src_mac[0] = back.dst_mac[0] = 0xaa;
	there.dst_mac[0] = back.src_mac[0] = 0xbb;
	there.vlan = back.vlan = 12;
	add(there);
	add(back);
	end();
	ck_assert_uint_eq(ngot, 1);
	ck_assert_uint_eq(got[0].src_mac[0], 0xaa);
	ck_assert_uint_eq(got[0].dst_mac[0], 0xbb);
	ck_assert_uint_eq(got[0].vlan, 12);
	ck_assert_uint_eq(got[0].rev.packets, 1);
}
END_TEST

UNIT(ipv4_and_ipv6_with_the_same_octets_are_two_flows)
{
	struct packet a = packet(0, 17, 1, 2), b = packet(0, 17, 1, 2);

	b.ip_version = 6;
	ck_assert_uint_eq(flows_of(KEY_IP, &a, &b), 2);
}
END_TEST

/* Timeouts --------------------------------------------------------------- */

UNIT(held_flows_wait_and_tell_the_same_later)
{
	begin(KEY_FULL, 10);
	add_udp(0, 1, 2);
	add_udp(0, 1, 3);
	flowtrack_hold(ft, true);
	expire(70000);
	add_udp(80000, 5, 6);
	ck_assert_uint_eq(ngot, 0);
	add_udp(90000, 1, 3); /* a packet of its own ends a record */
	ck_assert_uint_eq(ngot, 1);
	flowtrack_hold(ft, false);
	expire(100000);
	ck_assert_uint_eq(ngot, 2);
	for (size_t i = 0; i < 2; i++) {
		ck_assert_uint_eq(got[i].end_reason, FLOW_END_IDLE);
		ck_assert_uint_eq(got[i].ended_ns, T0 + 60000 * NS_PER_MS);
	}
}
END_TEST

UNIT(expire_ends_flow_exactly_at_idle_timeout)
{
	begin(KEY_FULL, 10);
	add_udp(0, 1, 2);
	add_udp(500, 1, 2);
	expire(60499);
	ck_assert_uint_eq(ngot, 0);
	/* the wheel looks at it within one slot */
	expire(60500 + 128);
	ck_assert_uint_eq(ngot, 1);
	ck_assert_uint_eq(got[0].end_reason, FLOW_END_IDLE);
	ck_assert_uint_eq(got[0].ended_ns, T0 + 60500 * NS_PER_MS);
	ck_assert_uint_eq(flowtrack_stats(ft)->active, 0);
	end();
}
END_TEST

UNIT(packet_after_idle_timeout_begins_a_new_record)
{
	begin(KEY_FULL, 10);
	add_udp(0, 1, 2);
	add_udp(59999, 2, 1);
	add_udp(59999 + 60000, 2, 1);
	ck_assert_uint_eq(ngot, 1);
	ck_assert_uint_eq(got[0].end_reason, FLOW_END_IDLE);
	ck_assert_uint_eq(got[0].fwd.packets, 1);
	ck_assert_uint_eq(got[0].rev.packets, 1);
	end();
	ck_assert_uint_eq(ngot, 2);
	/* whoever speaks first after the pause is the source */
	ck_assert_uint_eq(got[1].src[0], 2);
	ck_assert_uint_eq(got[1].fwd.start_ns, T0 + 119999 * NS_PER_MS);
}
END_TEST

UNIT(active_timeout_reports_and_the_flow_goes_on)
{
	begin(KEY_FULL, 10);
	for (uint64_t ms = 0; ms <= 650000; ms += 1000)
		add_udp(ms, 1, 2);
	ck_assert_uint_eq(ngot, 2);
	for (int i = 0; i < 2; i++) {
		ck_assert_uint_eq(got[i].end_reason, FLOW_END_ACTIVE);
		ck_assert_uint_eq(got[i].fwd.packets, 300);
		ck_assert_uint_lt(got[i].fwd.end_ns - got[i].fwd.start_ns,
		    300000 * NS_PER_MS);
	}
	ck_assert_uint_eq(flowtrack_stats(ft)->active, 1);
	end();
	ck_assert_uint_eq(ngot, 3);
	ck_assert_uint_eq(got[2].fwd.start_ns, T0 + 600000 * NS_PER_MS);
}
END_TEST

UNIT(active_timeout_is_found_on_a_silent_link_too)
{
	begin(KEY_FULL, 10);
	flowtrack_set_timeout(ft, TIMEOUT_MAXLIFE, 5000);
	add_udp(0, 1, 2);
	add_udp(4000, 1, 2);
	expire(5300);
	ck_assert_uint_eq(ngot, 1);
	ck_assert_uint_eq(got[0].end_reason, FLOW_END_ACTIVE);
	/* nothing came since: no record without packets */
	expire(70000);
	ck_assert_uint_eq(ngot, 1);
	ck_assert_uint_eq(flowtrack_stats(ft)->active, 0);
	end();
}
END_TEST

UNIT(record_that_goes_on_has_its_own_active_timeout)
{
	begin(KEY_FULL, 10);
	flowtrack_set_timeout(ft, TIMEOUT_MAXLIFE, 5000);
	add_udp(0, 1, 2);
	expire(5300);
	add_udp(7000, 1, 2);
	expire(11900);
	ck_assert_uint_eq(ngot, 1);
	expire(12300);
	ck_assert_uint_eq(ngot, 2);
	ck_assert_uint_eq(got[1].end_reason, FLOW_END_ACTIVE);
	ck_assert_uint_eq(got[1].fwd.start_ns, T0 + 7000 * NS_PER_MS);
	end();
}
END_TEST

UNIT(active_timeout_of_zero_is_never)
{
	begin(KEY_FULL, 10);
	flowtrack_set_timeout(ft, TIMEOUT_MAXLIFE, 0);
	for (uint64_t s = 0; s < 100000; s += 50)
		add_udp(s * 1000, 1, 2);
	ck_assert_uint_eq(ngot, 0);
	end();
}
END_TEST

UNIT(fin_from_both_sides_ends_the_flow_after_its_own_timeout)
{
	begin(KEY_FULL, 10);
	add_tcp(0, 1, 2, SYN);
	add_tcp(1, 2, 1, SYN | ACK);
	add_tcp(2, 1, 2, FIN | ACK);
	expire(20000);
	ck_assert_uint_eq(ngot, 0); /* half closed is still open */
	add_tcp(20000, 2, 1, FIN | ACK);
	add_tcp(20001, 1, 2, ACK);
	expire(29999);
	ck_assert_uint_eq(ngot, 0);
	expire(30200);
	ck_assert_uint_eq(ngot, 1);
	ck_assert_uint_eq(got[0].end_reason, FLOW_END_FLOW);
	ck_assert_uint_eq(got[0].fwd.packets, 3);
	ck_assert_uint_eq(got[0].rev.packets, 2);
	end();
}
END_TEST

UNIT(rst_ends_the_flow_after_its_own_timeout)
{
	begin(KEY_FULL, 10);
	flowtrack_set_timeout(ft, TIMEOUT_TCP_RST, 2000);
	add_tcp(0, 1, 2, SYN);
	add_tcp(1, 2, 1, RST | ACK);
	expire(2200);
	ck_assert_uint_eq(ngot, 1);
	ck_assert_uint_eq(got[0].end_reason, FLOW_END_FLOW);
	end();
}
END_TEST

UNIT(new_connection_on_closed_ports_is_a_new_record)
{
	begin(KEY_FULL, 10);
	add_tcp(0, 1, 2, FIN);
	add_tcp(1, 2, 1, FIN);
	add_tcp(2, 1, 2, SYN);
	ck_assert_uint_eq(ngot, 1);
	ck_assert_uint_eq(got[0].end_reason, FLOW_END_FLOW);
	end();
	ck_assert_uint_eq(got[1].fwd.tcp_flags, SYN);
	ck_assert_uint_eq(got[1].end_reason, FLOW_END_FORCED);
}
END_TEST

UNIT(each_protocol_has_its_own_idle_timeout)
{
	static const struct {
		uint8_t protocol;
		enum flow_timeout timeout;
	} rows[] = { { 6, TIMEOUT_TCP }, { 17, TIMEOUT_UDP },
		{ 1, TIMEOUT_ICMP }, { 58, TIMEOUT_ICMP },
		{ 47, TIMEOUT_GENERAL } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin(KEY_FULL, 10);
		flowtrack_set_timeout(ft, rows[i].timeout, 3000);
		add(packet(0, rows[i].protocol, 1, 2));
		expire(2999);
		ck_assert_uint_eq(ngot, 0);
		expire(3200);
		ck_assert_uint_eq(ngot, 1);
		end();
	}
}
END_TEST

UNIT(shorter_timeout_holds_for_flows_there_are_after_a_look)
{
	uint32_t cursor = 0;

	begin(KEY_FULL, 100);
	for (uint32_t i = 1; i <= 50; i++)
		add_udp(i, i, 200);
	expire(3000);
	ck_assert_uint_eq(ngot, 0);
	flowtrack_set_timeout(ft, TIMEOUT_UDP, 1000);
	while (flowtrack_sweep(ft, SWEEP_LOOK, &cursor, 10))
		continue;
	ck_assert_uint_eq(ngot, 50);
	end();
}
END_TEST

UNIT(timeouts_longer_than_the_wheel_are_exact_too)
{
	begin(KEY_FULL, 100);
	flowtrack_set_timeout(ft, TIMEOUT_UDP, 604800000U);
	flowtrack_set_timeout(ft, TIMEOUT_MAXLIFE, 0);
	for (uint32_t i = 1; i <= 20; i++)
		add_udp(UINT64_C(1000) * i, i, 200);
	for (uint32_t h = 1; h < 168; h++)
		expire(h * UINT64_C(3600000));
	ck_assert_uint_eq(ngot, 0);
	expire(7 * UINT64_C(86400000) + 10200);
	ck_assert_uint_eq(ngot, 10);
	expire(7 * UINT64_C(86400000) + 20200);
	ck_assert_uint_eq(ngot, 20);
	end();
}
END_TEST

UNIT(leap_of_the_clock_ends_all_flows_as_idle)
{
	begin(KEY_FULL, 100);
	for (uint32_t i = 1; i <= 20; i++)
		add_udp(i, i, 200);
	for (uint64_t s = 1; s <= 5; s++) {
		expire(s * UINT64_C(1000000000000));
		ck_assert_uint_eq(ngot, 20);
	}
	for (size_t i = 0; i < ngot; i++)
		ck_assert_uint_eq(got[i].end_reason, FLOW_END_IDLE);
	end();
}
END_TEST

UNIT(clock_of_ms_wraps_after_49_days_unnoticed)
{
	begin(KEY_FULL, 10);
	for (uint64_t s = 0; s <= UINT64_C(10368000); s += 30)
		add_udp(s * 1000, 1, 2);
	ck_assert_uint_eq(ngot, 120U * 86400 / 300);
	for (size_t i = 0; i < ngot; i++) {
		ck_assert_uint_eq(got[i].end_reason, FLOW_END_ACTIVE);
		ck_assert_uint_eq(got[i].fwd.packets, 10);
	}
	end();
}
END_TEST

UNIT(time_that_runs_backwards_never_ends_before_the_start)
{
	struct packet p = packet(0, 17, 1, 2);

	begin(KEY_FULL, 10);
	add(p);
	p.time_ns -= 5 * NS_PER_S; /* the capture keeps clock_ns going */
	add(p);
	end();
	ck_assert_uint_eq(ngot, 1);
	ck_assert_uint_eq(got[0].fwd.start_ns, T0);
	ck_assert_uint_eq(got[0].fwd.end_ns, T0);
	ck_assert_uint_eq(got[0].fwd.packets, 2);
}
END_TEST

UNIT(expiry_interval_holds_idle_flows_back)
{
	begin(KEY_FULL, 10);
	flowtrack_set_timeout(ft, TIMEOUT_EXPINT, 5000);
	add_udp(0, 1, 2);
	expire(59000);
	expire(61000);
	ck_assert_uint_eq(ngot, 0);
	expire(64001);
	ck_assert_uint_eq(ngot, 1);
	end();
}
END_TEST

/* Counters --------------------------------------------------------------- */

UNIT(counts_are_exact_past_32_bits)
{
	struct packet p = packet(0, 17, 1, 2);

	begin(KEY_FULL, 10);
	p.octets = UINT32_MAX;
	for (int i = 0; i < 10; i++)
		add(p);
	end();
	ck_assert_uint_eq(got[0].fwd.octets, UINT64_C(10) * UINT32_MAX);
}
END_TEST

UNIT(record_ends_before_its_counter_would_wrap)
{
	struct packet p = packet(0, 17, 1, 2);
	uint64_t octets = 0;

	begin(KEY_FULL, 10);
	config.octets_max = UINT32_MAX;
	flowtrack_free(ft);
	ft = flowtrack_new(&config, collect, got);
	p.octets = 1500000000;
	for (int i = 0; i < 9; i++)
		add(p);
	end();
	ck_assert_uint_eq(ngot, 5);
	for (size_t i = 0; i < ngot; i++) {
		ck_assert_uint_le(got[i].fwd.octets, UINT32_MAX);
		octets += got[i].fwd.octets;
	}
	ck_assert_uint_eq(octets, UINT64_C(9) * 1500000000);
	ck_assert_uint_eq(got[0].end_reason, FLOW_END_ACTIVE);
}
END_TEST

UNIT(limit_of_octets_may_be_lowered_while_running)
{
	struct packet p = packet(0, 17, 1, 2);

	begin(KEY_FULL, 10);
	p.octets = 1500000000;
	for (int i = 0; i < 4; i++)
		add(p);
	ck_assert_uint_eq(ngot, 0);
	flowtrack_set_octets_max(ft, UINT32_MAX);
	for (int i = 0; i < 4; i++)
		add(p);
	end();
	ck_assert_uint_eq(ngot, 3);
	ck_assert_uint_eq(got[0].fwd.octets, UINT64_C(6000000000));
	ck_assert_uint_eq(got[1].fwd.octets, 3000000000);
	ck_assert_uint_eq(got[2].fwd.octets, 3000000000);
}
END_TEST

UNIT(how_packets_are_cut_into_calls_changes_nothing)
{
	static struct packet p[5000];
	static struct flow_record first[RECORDS_MAX];
	size_t nfirst = 0;
	uint32_t seed = 1;

	for (size_t i = 0; i < 5000; i++) {
		seed = seed * 1103515245 + 12345;
		p[i] = packet((uint64_t)i * 37, seed >> 16 & 1 ? 6 : 17,
		    1 + (seed >> 8) % 90, 100 + (seed >> 20) % 9);
		p[i].tcp_flags = (uint16_t)(seed >> 12 & 7);
	}
	for (size_t cut = 1; cut < 70; cut += 11) {
		begin(KEY_FULL, 64);
		for (size_t i = 0, n; i < 5000; i += n) {
			n = cut < 5000 - i ? cut : 5000 - i;
			flowtrack_add(ft, p + i, NULL, n);
		}
		end();
		if (cut == 1) {
			memcpy(first, got, sizeof(first));
			nfirst = ngot;
		}
		ck_assert_uint_eq(ngot, nfirst);
		ck_assert_int_eq(memcmp(first, got, ngot * sizeof(*got)), 0);
	}
}
END_TEST

/* What records tell only if asked to ----------------------------------------
 */

/* One more packet with this hop limit, of so many octets. */
static void
add_extra(struct packet p, uint8_t ttl, uint32_t octets)
{
	struct packet_extra x = { .ttl = ttl,
		.ttl_min = ttl,
		.ttl_max = ttl,
		.shortest = octets,
		.longest = octets,
		.tcp_options = UINT64_C(1) << ttl % 64 };

	p.octets = octets;
	p.src_mac[5] = ttl;
	p.dst_mac[5] = (uint8_t)(ttl + 1);
	flowtrack_add(ft, &p, &x, 1);
}

UNIT(each_direction_keeps_its_first_packet_bounds_and_bits)
{
	const struct half_extra *there = &got_extra[0].half[0];
	const struct half_extra *back = &got_extra[0].half[1];

	begin_with(KEY_FULL, 10, true);
	add_extra(packet(0, 6, 2, 1), 60, 100);
	add_extra(packet(1, 6, 1, 2), 30, 40);
	add_extra(packet(2, 6, 2, 1), 50, 1500);
	add_extra(packet(3, 6, 2, 1), 63, 99);
	end();
	ck_assert_uint_eq(ngot, 1);
	ck_assert_uint_eq(there->packet.ttl, 60);
	ck_assert_uint_eq(there->packet.ttl_min, 50);
	ck_assert_uint_eq(there->packet.ttl_max, 63);
	ck_assert_uint_eq(there->packet.shortest, 99);
	ck_assert_uint_eq(there->packet.longest, 1500);
	ck_assert_uint_eq(there->packet.tcp_options,
	    UINT64_C(1) << 60 | UINT64_C(1) << 50 | UINT64_C(1) << 63);
	ck_assert_uint_eq(there->src_mac[5], 60);
	ck_assert_uint_eq(there->dst_mac[5], 61);
	ck_assert_uint_eq(there->packets_total, 3);
	ck_assert_uint_eq(there->octets_total, 1699);
	ck_assert_uint_eq(back->packet.ttl, 30);
	ck_assert_uint_eq(back->packet.tcp_options, UINT64_C(1) << 30);
	ck_assert_uint_eq(back->src_mac[5], 30);
	ck_assert_uint_eq(back->octets_total, 40);
}
END_TEST

UNIT(a_flow_that_goes_on_keeps_number_and_totals_and_nothing_else)
{
	begin_with(KEY_FULL, 10, true);
	add_extra(packet(0, 17, 2, 1), 60, 100);
	for (uint64_t ms = 30000; ms <= 330000; ms += 30000)
		add_extra(packet(ms, 17, 2, 1), 50, 200);
	end();
	ck_assert_uint_eq(ngot, 2);
	ck_assert_uint_eq(got[0].end_reason, FLOW_END_ACTIVE);
	ck_assert_uint_eq(got_extra[0].number, got_extra[1].number);
	ck_assert_uint_eq(got_extra[0].half[0].packets_total, 10);
	ck_assert_uint_eq(got_extra[1].half[0].packets_total, 12);
	ck_assert_uint_eq(got_extra[1].half[0].octets_total, 2300);
	ck_assert_uint_eq(got_extra[0].half[0].packet.ttl, 60);
	ck_assert_uint_eq(got_extra[1].half[0].packet.ttl, 50);
	ck_assert_uint_eq(got_extra[1].half[0].packet.ttl_max, 50);
}
END_TEST

UNIT(a_flow_that_begins_anew_has_another_number_and_new_totals)
{
	begin_with(KEY_FULL, 1, true);
	add_extra(packet(0, 17, 2, 1), 60, 100);
	add_extra(packet(70000, 17, 2, 1), 60, 100); /* it was idle */
	add_extra(packet(70001, 17, 3, 1), 60, 100); /* it takes its place */
	end();
	ck_assert_uint_eq(ngot, 3);
	for (size_t i = 0; i < ngot; i++) {
		ck_assert_uint_eq(got_extra[i].number, i + 1);
		ck_assert_uint_eq(got_extra[i].half[0].packets_total, 1);
		ck_assert_uint_eq(got_extra[i].half[1].packets_total, 0);
	}
}
END_TEST

UNIT(several_caches_number_no_two_flows_alike)
{
	bool seen[1 + 3 * 4] = { false };

	for (uint32_t cache = 0; cache < 3; cache++) {
		begin_with(KEY_FULL, 10, true);
		flowtrack_free(ft);
		config.cache = cache;
		config.caches = 3;
		ft = flowtrack_new(&config, collect, got);
		ck_assert_ptr_nonnull(ft);
		for (uint32_t i = 0; i < 4; i++)
			add_udp(0, 10 + i, 1);
		end();
		for (size_t i = 0; i < ngot; i++) {
			ck_assert_uint_ge(got_extra[i].number, 1);
			ck_assert_uint_le(got_extra[i].number, 12);
			ck_assert(!seen[got_extra[i].number]);
			seen[got_extra[i].number] = true;
		}
	}
}
END_TEST

UNIT(packets_without_extra_leave_what_the_cache_knows_itself)
{
	begin_with(KEY_FULL, 10, true);
	add_udp(0, 2, 1);
	end();
	ck_assert_uint_eq(got_extra[0].half[0].packets_total, 1);
	ck_assert_uint_eq(got_extra[0].half[0].packet.ttl, 0);
	begin(KEY_FULL, 10);
	add_extra(packet(0, 6, 2, 1), 60, 100);
	end();
	ck_assert_ptr_null(got[0].extra);
}
END_TEST

UNIT(active_flows_are_listed_with_their_extra_so_far)
{
	struct flow_extra extra[2];
	struct flow_record r[2];
	uint32_t cursor = 0;

	begin_with(KEY_FULL, 10, true);
	add_extra(packet(0, 17, 2, 1), 60, 100);
	for (uint64_t ms = 30000; ms <= 330000; ms += 30000)
		add_extra(packet(ms, 17, 2, 1), 50, 200);
	add_extra(packet(330000, 17, 1, 2), 40, 50);
	ck_assert_uint_eq(flowtrack_list(ft, &cursor, r, extra, 2), 1);
	ck_assert_ptr_eq(r[0].extra, &extra[0]);
	ck_assert_uint_eq(extra[0].number, 1);
	ck_assert_uint_eq(extra[0].half[0].packets_total, 12);
	ck_assert_uint_eq(extra[0].half[1].octets_total, 50);
	ck_assert_uint_eq(extra[0].half[0].packet.ttl, 50);
	end();
	ck_assert_uint_eq(got_extra[1].half[0].packets_total, 12);
	begin(KEY_FULL, 10);
	add_udp(0, 2, 1);
	cursor = 0;
	ck_assert_uint_eq(flowtrack_list(ft, &cursor, r, NULL, 1), 1);
	ck_assert_ptr_null(r[0].extra);
	end();
}
END_TEST

/* A full cache ------------------------------------------------------------ */

UNIT(full_cache_ends_the_flow_idle_longest)
{
	begin(KEY_FULL, 8);
	for (uint32_t i = 1; i <= 8; i++)
		add_udp(i, i, 200);
	add_udp(20, 1, 200); /* the oldest by start is not idle longest now */
	add_udp(21, 3, 200);
	for (uint32_t i = 11; i <= 14; i++)
		add_udp(20 + i, i, 200);
	ck_assert_uint_eq(ngot, 4);
	ck_assert_uint_eq(got[0].src[0], 2);
	ck_assert_uint_eq(got[1].src[0], 4);
	ck_assert_uint_eq(got[2].src[0], 5);
	ck_assert_uint_eq(got[3].src[0], 6);
	ck_assert_uint_eq(got[0].end_reason, FLOW_END_NO_RESOURCES);
	ck_assert_uint_eq(flowtrack_stats(ft)->active, 8);
	end();
}
END_TEST

UNIT(eviction_is_in_exact_order_of_idleness_in_a_large_cache)
{
	const uint32_t n = 1000;
	uint64_t ms = 0;

	begin(KEY_FULL, n);
	for (uint32_t i = 0; i < n; i++)
		add_udp(++ms, 1 + i, 5000);
	for (uint32_t i = 0; i < n; i++) /* touch all, in another order */
		add_udp(++ms, 1 + i * 387 % n, 5000);
	for (uint32_t i = 0; i < n; i++)
		add_udp(++ms, 10000 + i, 5000);
	ck_assert_uint_eq(ngot, n);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t src = got[i].src[0] | (uint32_t)got[i].src[1] << 8 |
			       (uint32_t)got[i].src[2] << 16;

		ck_assert_uint_eq(src, 1 + i * 387 % n);
	}
	end();
}
END_TEST

UNIT(cache_of_one_flow_works)
{
	begin(KEY_FULL, 1);
	for (uint32_t i = 1; i <= 50; i++)
		add_udp(i, i, 200);
	ck_assert_uint_eq(ngot, 49);
	ck_assert_uint_eq(flowtrack_stats(ft)->active_max, 1);
	end();
}
END_TEST

UNIT(flood_of_new_flows_is_accounted_in_bounded_memory)
{
	begin(KEY_FULL, 4096);
	for (uint32_t i = 0; i < 90000; i++) {
		struct packet p = packet(i / 100, 6, i * 2654435761U, 1);

		p.tcp_flags = SYN;
		add(p);
	}
	ck_assert_uint_eq(flowtrack_stats(ft)->active, 4096);
	ck_assert_uint_eq(flowtrack_stats(ft)->packets, 90000);
	end();
	ck_assert_uint_eq(ngot, 90000);
}
END_TEST

/* Sweeps and lists --------------------------------------------------------- */

UNIT(delete_throws_flows_away_and_counts_them)
{
	uint32_t cursor = 0;

	begin(KEY_FULL, 100);
	for (uint32_t i = 1; i <= 30; i++)
		add_udp(i, i, 200);
	while (flowtrack_sweep(ft, SWEEP_DELETE, &cursor, 4))
		continue;
	ck_assert_uint_eq(ngot, 0);
	ck_assert_uint_eq(flowtrack_stats(ft)->deleted_flows, 30);
	ck_assert_uint_eq(flowtrack_stats(ft)->deleted_packets, 30);
	ck_assert_uint_eq(flowtrack_stats(ft)->deleted_octets, 3000);
	add_udp(40, 1, 200);
	end();
	ck_assert_uint_eq(ngot, 1);
}
END_TEST

UNIT(list_shows_every_active_flow_once)
{
	struct flow_record page[7];
	uint32_t cursor = 0, seen = 0;
	size_t n;

	begin(KEY_FULL, 100);
	for (uint32_t i = 1; i <= 50; i++)
		add_udp(i, i, 200);
	do {
		n = flowtrack_list(ft, &cursor, page, NULL, 7);
		for (size_t i = 0; i < n; i++) {
			ck_assert_uint_eq(page[i].end_reason, FLOW_END_NONE);
			ck_assert_uint_eq(page[i].fwd.packets, 1);
			seen += page[i].src[0];
		}
	} while (cursor != 0);
	ck_assert_uint_eq(seen, 50 * 51 / 2);
	ck_assert_uint_eq(ngot, 0);
	end();
}
END_TEST

UNIT(broken_limits_are_refused)
{
	begin(KEY_FULL, 1);
	end();
	config.max_flows = 0;
	ck_assert_ptr_null(flowtrack_new(&config, collect, got));
	ck_assert_int_eq(errno, EINVAL);
	config.max_flows = FLOWTRACK_MAX_FLOWS + 1;
	ck_assert_ptr_null(flowtrack_new(&config, collect, got));
	config.max_flows = 1;
	config.key = KEY_LEVELS;
	ck_assert_ptr_null(flowtrack_new(&config, collect, got));
	flowtrack_free(NULL);
}
END_TEST

UNIT(conversation_costs_at_most_160_octets)
{
	ck_assert_uint_le(flowtrack_octets_per_flow(), 160);
}
END_TEST

/* Hash -------------------------------------------------------------------- */

/* Keys that the fold without a seed maps to one value: its first factor 0. */
UNIT(keys_that_collide_without_a_seed_spread_with_one)
{
	const struct flow_hash_seed none = { { 0 } };
	struct flow_hash_seed seed;
	struct flow_key key = { .ip_version = 6, .protocol = 17 };
	static uint8_t used[4096];
	uint64_t unseeded = 0;
	uint32_t buckets = 0;

	flow_hash_seed(&seed);
	for (uint32_t i = 0; i < 4096; i++) {
		uint64_t h;

		/* the low half of each address 0: the product is 0 */
		memcpy(key.addr[0], &i, sizeof(i));
		h = flow_hash(&none, &key, NULL);
		if (i == 0)
			unseeded = h;
		ck_assert_uint_eq(h, unseeded);
		h = flow_hash(&seed, &key, NULL) >> 32 & 4095;
		buckets += used[h]++ == 0;
	}
	/* 4096 balls at random leave 1 - 1/e of 4096 boxes used: 2589 */
	ck_assert_uint_gt(buckets, 2400);
}
END_TEST

UNIT(two_caches_have_two_seeds)
{
	struct flow_hash_seed a, b;

	flow_hash_seed(&a);
	flow_hash_seed(&b);
	ck_assert_int_ne(memcmp(&a, &b, sizeof(a)), 0);
}
END_TEST

UNIT(every_field_of_the_key_moves_the_hash)
{
	struct flow_hash_seed seed;
	uint8_t octets[sizeof(struct flow_key)] = { 0 };
	struct flow_key key;
	uint64_t h0;

	flow_hash_seed(&seed);
	for (int version = 4; version <= 6; version += 2) {
		memset(octets, 0, sizeof(octets));
		octets[offsetof(struct flow_key, ip_version)] =
		    (uint8_t)version;
		memcpy(&key, octets, sizeof(key));
		h0 = flow_hash(&seed, &key, NULL);
		for (size_t i = 0; i < sizeof(key); i++) {
			bool unused =
			    (version == 4 && i < 32 && i % 16 >= 4) ||
			    i == offsetof(struct flow_key, ip_version);

			octets[i] ^= 0x10;
			memcpy(&key, octets, sizeof(key));
			octets[i] ^= 0x10;
			if (!unused)
				ck_assert_msg(
				    flow_hash(&seed, &key, NULL) != h0,
				    "octet %zu of a v%d key", i, version);
		}
	}
}
END_TEST

/* A router: several interfaces see a packet ------------------------------ */

static struct packet
sighting(uint64_t ms, enum packet_direction direction, uint32_t ifindex)
{
	struct packet p = packet(ms, 17, 2, 1);

	p.direction = direction;
	p.ifindex = ifindex;
	return p;
}

UNIT(packet_seen_coming_in_and_leaving_counts_once_and_has_both_interfaces)
{
	begin_with(KEY_FULL, 10, false);
	flowtrack_free(ft);
	config.router = true;
	ft = flowtrack_new(&config, collect, got);
	ck_assert_ptr_nonnull(ft);
	for (uint64_t ms = 0; ms < 30; ms += 10) {
		add(sighting(ms, DIRECTION_IN, 7));
		add(sighting(ms + 1, DIRECTION_OUT, 9));
	}
	ck_assert_uint_eq(flowtrack_stats(ft)->again_packets, 3);
	ck_assert_uint_eq(flowtrack_stats(ft)->again_octets, 300);
	end();
	ck_assert_uint_eq(ngot, 1);
	ck_assert_uint_eq(got[0].fwd.packets, 3);
	ck_assert_uint_eq(got[0].fwd.ingress, 7);
	ck_assert_uint_eq(got[0].fwd.egress, 9);
}
END_TEST

/* What is told ----------------------------------------------------------- */

UNIT(statistics_of_several_caches_add_up)
{
	struct flowtrack_stats sum = { 0 }, one;

	begin(KEY_FULL, 10);
	add_udp(0, 1, 2);
	add_tcp(0, 3, 4, SYN);
	add_udp(1, 1, 2);
	expire(70000);
	add_udp(70001, 5, 6);
	one = *flowtrack_stats(ft);
	flowtrack_stats_add(&sum, &one);
	flowtrack_stats_add(&sum, &one);
	ck_assert_uint_eq(sum.packets, 8);
	ck_assert_uint_eq(sum.octets, 800);
	ck_assert_uint_eq(sum.flows, 6);
	ck_assert_uint_eq(sum.active, UINT64_C(2) * one.active);
	ck_assert_uint_eq(sum.active_max, 4);
	ck_assert_uint_eq(sum.ended[FLOW_END_IDLE], 2 * one.ended[1]);
	ck_assert_uint_eq(sum.ended_packets, 2 * one.ended_packets);
	ck_assert_uint_eq(sum.protocol_packets[17], 6);
	ck_assert_uint_eq(sum.protocol_octets[6], 200);
	ck_assert_uint_eq(sum.protocol_flows[17], 4);
	end();
}
END_TEST

UNIT(everything_that_can_be_named_has_a_name_of_its_own)
{
	for (int i = 0; i < TIMEOUTS; i++)
		for (int j = 0; j < i; j++)
			ck_assert_str_ne(flow_timeout_name((unsigned)i),
			    flow_timeout_name((unsigned)j));
	for (int i = 0; i < KEY_LEVELS; i++)
		for (int j = 0; j < i; j++)
			ck_assert_str_ne(flow_key_name((unsigned)i),
			    flow_key_name((unsigned)j));
	for (int i = 1; i < FLOW_ENDS; i++)
		ck_assert_str_ne(flow_end_name((unsigned)i), "?");
	ck_assert_str_eq(flow_timeout_name(TIMEOUTS), "?");
	ck_assert_str_eq(flow_key_name(KEY_LEVELS), "?");
	ck_assert_str_eq(flow_end_name(FLOW_ENDS), "?");
}
END_TEST

UNIT(memory_told_is_that_of_the_flows_and_of_what_was_asked_for)
{
	struct flowtrack_config small = { .max_flows = 1000 };
	struct flowtrack_config large = { .max_flows = 2000 };
	size_t plain = flowtrack_memory(&small);

	ck_assert_uint_eq(flowtrack_memory(&large) - plain,
	    1000 * flowtrack_octets_per_flow());
	small.key = KEY_ETHER;
	ck_assert_uint_gt(flowtrack_memory(&small), plain);
	small.key = KEY_FULL;
	small.extra = true;
	ck_assert_uint_gt(
	    flowtrack_memory(&small), plain + 1000 * sizeof(struct flow_extra));
}
END_TEST

UNIT_MAIN("flowtrack", both_directions_share_one_entry_with_own_counts,
    source_is_the_side_that_sent_first_whatever_its_address,
    packet_to_itself_is_one_flow_forward_only, icmp_type_and_code_are_no_ports,
    each_key_level_tells_apart_what_it_names,
    ether_key_keeps_each_mac_with_its_endpoint,
    ipv4_and_ipv6_with_the_same_octets_are_two_flows,
    expire_ends_flow_exactly_at_idle_timeout,
    held_flows_wait_and_tell_the_same_later,
    packet_after_idle_timeout_begins_a_new_record,
    active_timeout_reports_and_the_flow_goes_on,
    active_timeout_is_found_on_a_silent_link_too,
    record_that_goes_on_has_its_own_active_timeout,
    active_timeout_of_zero_is_never,
    fin_from_both_sides_ends_the_flow_after_its_own_timeout,
    rst_ends_the_flow_after_its_own_timeout,
    new_connection_on_closed_ports_is_a_new_record,
    each_protocol_has_its_own_idle_timeout,
    shorter_timeout_holds_for_flows_there_are_after_a_look,
    timeouts_longer_than_the_wheel_are_exact_too,
    leap_of_the_clock_ends_all_flows_as_idle,
    clock_of_ms_wraps_after_49_days_unnoticed,
    time_that_runs_backwards_never_ends_before_the_start,
    expiry_interval_holds_idle_flows_back, counts_are_exact_past_32_bits,
    record_ends_before_its_counter_would_wrap,
    limit_of_octets_may_be_lowered_while_running,
    how_packets_are_cut_into_calls_changes_nothing,
    each_direction_keeps_its_first_packet_bounds_and_bits,
    a_flow_that_goes_on_keeps_number_and_totals_and_nothing_else,
    a_flow_that_begins_anew_has_another_number_and_new_totals,
    several_caches_number_no_two_flows_alike,
    packets_without_extra_leave_what_the_cache_knows_itself,
    active_flows_are_listed_with_their_extra_so_far,
    full_cache_ends_the_flow_idle_longest,
    eviction_is_in_exact_order_of_idleness_in_a_large_cache,
    cache_of_one_flow_works, flood_of_new_flows_is_accounted_in_bounded_memory,
    delete_throws_flows_away_and_counts_them, list_shows_every_active_flow_once,
    broken_limits_are_refused, conversation_costs_at_most_160_octets,
    keys_that_collide_without_a_seed_spread_with_one, two_caches_have_two_seeds,
    every_field_of_the_key_moves_the_hash,
    packet_seen_coming_in_and_leaving_counts_once_and_has_both_interfaces,
    statistics_of_several_caches_add_up,
    everything_that_can_be_named_has_a_name_of_its_own,
    memory_told_is_that_of_the_flows_and_of_what_was_asked_for)

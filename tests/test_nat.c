/* SPDX-License-Identifier: ISC */
/*
 * test_nat.c - records of translated connections become one conversation.
 */
#include <arpa/inet.h>

#include "nat.h"
#include "tests/export.h"

#define TABLE 8U
#define KEEP_NS (120 * NS_PER_S)

/* The box captures what comes from 10.0.0.0/8 and 2001:db8:a::/48. */
static bool
captured(const uint8_t origin[16], uint8_t ip_version, void *arg)
{
	(void)arg;
	return ip_version == 4 ? origin[0] == 10 : origin[5] == 0x0a;
}

static bool
captured_nowhere(const uint8_t origin[16], uint8_t ip_version, void *arg)
{
	(void)origin;
	(void)ip_version;
	(void)arg;
	return false;
}

static struct nat_end
end(const char *src, uint16_t src_port, const char *dst, uint16_t dst_port)
{
	struct nat_end e = { .src_port = src_port, .dst_port = dst_port };
	int family = strchr(src, ':') == NULL ? AF_INET : AF_INET6;

	ck_assert_int_eq(inet_pton(family, src, e.src), 1);
	ck_assert_int_eq(inet_pton(family, dst, e.dst), 1);
	return e;
}

static struct nat_connection
connection(uint8_t protocol, struct nat_end original, struct nat_end translated)
{
	bool v4 = memcmp(original.src + 4, "\0\0\0\0\0\0\0\0\0\0\0", 12) == 0;

	return (struct nat_connection){ .original = original,
		.translated = translated,
		.protocol = protocol,
		.ip_version = v4 ? 4 : 6 };
}

/* 10.0.0.2 behind a masquerading box, 203.0.113.1. */
static struct nat_connection
masqueraded(void)
{
	return connection(IPPROTO_TCP, end("10.0.0.2", 1000, "192.0.2.9", 80),
	    end("203.0.113.1", 61000, "192.0.2.9", 80));
}

/* 10.0.0.3 behind the box serves what arrives at port 8080 of it. */
static struct nat_connection
forwarded(void)
{
	return connection(IPPROTO_TCP,
	    end("192.0.2.9", 2000, "203.0.113.1", 8080),
	    end("192.0.2.9", 2000, "10.0.0.3", 80));
}

static struct nat_connection
masqueraded6(void)
{
	return connection(IPPROTO_UDP,
	    end("2001:db8:a::2", 1000, "2001:db8:b::9", 53),
	    end("2001:db8:c::1", 1000, "2001:db8:b::9", 53));
}

static struct nat_connection
ping(const char *from, uint16_t id, uint16_t translated_id)
{
	return connection(IPPROTO_ICMP, end(from, id, "192.0.2.9", 0),
	    end("203.0.113.1", translated_id, "192.0.2.9", 0));
}

/* A tunnel, whose protocol has no ports. */
static struct nat_connection
tunnel(const char *from)
{
	return connection(IPPROTO_GRE, end(from, 0, "192.0.2.9", 0),
	    end("203.0.113.1", 0, "192.0.2.9", 0));
}

/* A record with packets from src to dst and back. */
static struct flow_record
record(const struct nat_connection *c, const struct nat_end *e, bool turned)
{
	struct flow_record r = tcp_record();

	r.protocol = c->protocol;
	r.ip_version = c->ip_version;
	memcpy(r.src, turned ? e->dst : e->src, 16);
	memcpy(r.dst, turned ? e->src : e->dst, 16);
	r.src_port = turned ? e->dst_port : e->src_port;
	r.dst_port = turned ? e->src_port : e->dst_port;
	if (c->protocol == IPPROTO_ICMP) {
		r.src_port = e->src_port;
		r.icmp = r.dst_port = turned ? 0 : 0x0800;
	}
	return r;
}

static void
check_ends(const struct flow_record *r, const struct nat_end *e, bool turned)
{
	ck_assert_mem_eq(r->src, turned ? e->dst : e->src, 16);
	ck_assert_mem_eq(r->dst, turned ? e->src : e->dst, 16);
	ck_assert_uint_eq(r->src_port, turned ? e->dst_port : e->src_port);
	ck_assert_uint_eq(r->dst_port, turned ? e->src_port : e->dst_port);
}

static void
check_half(
    const struct flow_record *r, int half, const struct nat_end *e, bool turned)
{
	ck_assert_ptr_nonnull(r->nat);
	ck_assert_mem_eq(r->nat->half[half].src, turned ? e->dst : e->src, 16);
	ck_assert_mem_eq(r->nat->half[half].dst, turned ? e->src : e->dst, 16);
	ck_assert_uint_eq(
	    r->nat->half[half].src_port, turned ? e->dst_port : e->src_port);
	ck_assert_uint_eq(
	    r->nat->half[half].dst_port, turned ? e->src_port : e->dst_port);
}

static struct nat *
table_of(const struct nat_connection *c)
{
	struct nat *n = nat_new(TABLE);

	ck_assert_ptr_nonnull(n);
	nat_begin(n, c, NOON);
	return n;
}

/*
 * Join records of both sides, whoever spoke first.  Each is left with the
 * original addresses, and told how its halves leave the box.
 */
static void
check_sides(const struct nat_connection *c)
{
	for (int turned = 0; turned < 2; turned++)
		for (int translated = 0; translated < 2; translated++) {
			struct nat *n = table_of(c);
			struct flow_record r = record(c,
			    translated ? &c->translated : &c->original, turned);

			ck_assert(!nat_join(n, &r, captured_nowhere, NULL));
			check_ends(&r, &c->original, turned);
			check_half(&r, turned, &c->translated, false);
			check_half(&r, !turned, &c->original, true);
			nat_free(n);
		}
}

UNIT(both_sides_of_a_masqueraded_connection_have_its_original_addresses)
{
	struct nat_connection c = masqueraded();

	check_sides(&c);
}
END_TEST

UNIT(both_sides_of_a_forwarded_port_have_its_original_addresses)
{
	struct nat_connection c = forwarded();

	check_sides(&c);
}
END_TEST

UNIT(both_sides_of_an_ipv6_connection_have_its_original_addresses)
{
	struct nat_connection c = masqueraded6();

	check_sides(&c);
}
END_TEST

UNIT(the_other_side_of_what_is_captured_is_left_out)
{
	struct nat_connection c = masqueraded();
	struct nat *n = table_of(&c);
	struct flow_record r = record(&c, &c.translated, false), was = r;

	ck_assert(nat_join(n, &r, captured, NULL));
	ck_assert_mem_eq(&r, &was, sizeof(r));
	r = record(&c, &c.original, false);
	ck_assert(!nat_join(n, &r, captured, NULL));
	check_half(&r, 0, &c.translated, false);
	nat_free(n);
}
END_TEST

UNIT(a_record_turned_round_keeps_what_belongs_to_each_half)
{
	struct nat_connection c = masqueraded();
	struct nat *n = table_of(&c);
	struct flow_record r = record(&c, &c.original, true);

	r.turned = true; /* its reply is half 1: fwd */
	ck_assert(!nat_join(n, &r, captured, NULL));
	check_half(&r, 1, &c.original, true);
	check_half(&r, 0, &c.translated, false);
	nat_free(n);
}
END_TEST

UNIT(a_record_of_another_connection_stays_as_it_is)
{
	struct nat_connection c = masqueraded();
	struct nat *n = table_of(&c);
	struct flow_record r = record(&c, &c.original, false), was;

	r.src_port++;
	was = r;
	ck_assert(!nat_join(n, &r, captured, NULL));
	ck_assert_mem_eq(&r, &was, sizeof(r));
	r = record(&c, &c.original, false);
	r.protocol = IPPROTO_UDP;
	ck_assert(!nat_join(n, &r, captured, NULL));
	ck_assert_ptr_null(r.nat);
	nat_free(n);
}
END_TEST

UNIT(a_connection_that_is_not_translated_is_not_kept)
{
	struct nat_connection c = masqueraded();
	struct nat *n = nat_new(TABLE);
	struct nat_stats s;

	ck_assert(nat_translates(&c));
	c.translated = c.original;
	ck_assert(!nat_translates(&c));
	nat_begin(n, &c, NOON);
	nat_stats(n, &s);
	ck_assert_uint_eq(s.connections, 0);
	nat_free(n);
}
END_TEST

UNIT(pings_keep_type_and_code_and_have_their_identifiers)
{
	struct nat_connection c = ping("10.0.0.2", 7, 8);
	struct nat *n = table_of(&c);
	struct flow_record r = record(&c, &c.translated, false);

	ck_assert(!nat_join(n, &r, captured_nowhere, NULL));
	ck_assert_mem_eq(r.src, c.original.src, 16);
	ck_assert_uint_eq(r.src_port, 7);
	ck_assert_uint_eq(r.dst_port, 0x0800);
	ck_assert_uint_eq(r.nat->half[0].src_port, 8);
	ck_assert_uint_eq(r.nat->half[0].dst_port, 0x0800);
	r = record(&c, &c.translated, true); /* the answers */
	ck_assert(!nat_join(n, &r, captured_nowhere, NULL));
	ck_assert_mem_eq(r.dst, c.original.src, 16);
	ck_assert_uint_eq(r.src_port, 7);
	ck_assert_mem_eq(r.nat->half[0].dst, c.original.src, 16);
	ck_assert_uint_eq(r.nat->half[0].src_port, 7);
	ck_assert_uint_eq(r.nat->half[0].dst_port, 0);
	nat_free(n);
}
END_TEST

UNIT(pings_of_several_hosts_and_of_the_box_are_told_apart)
{
	struct nat_connection a = ping("10.0.0.2", 7, 7);
	struct nat_connection b = ping("10.0.0.3", 7, 8);
	struct nat *n = table_of(&a);
	struct flow_record r;

	nat_begin(n, &b, NOON);
	r = record(&a, &a.translated, false);
	ck_assert(!nat_join(n, &r, captured_nowhere, NULL));
	ck_assert_uint_eq(r.src[3], 2);
	r = record(&b, &b.translated, false);
	ck_assert(!nat_join(n, &r, captured_nowhere, NULL));
	ck_assert_uint_eq(r.src[3], 3);
	r.src_port = 9;
	memcpy(r.src, b.translated.src, 16);
	r.nat = NULL;
	ck_assert(!nat_join(n, &r, captured, NULL));
	ck_assert_ptr_null(r.nat);
	nat_free(n);
}
END_TEST

UNIT(messages_of_icmp_about_other_packets_are_of_no_connection)
{
	struct nat_connection c = ping("10.0.0.2", 0, 0);
	struct nat *n = table_of(&c);
	struct flow_record r = record(&c, &c.translated, false);

	r.icmp = r.dst_port = 0x0301; /* host unreachable */
	ck_assert(!nat_join(n, &r, captured, NULL));
	ck_assert_ptr_null(r.nat);
	nat_free(n);
}
END_TEST

UNIT(tunnels_of_several_hosts_are_not_told_to_be_of_one)
{
	struct nat_connection a = tunnel("10.0.0.2");
	struct nat_connection b = tunnel("10.0.0.3");
	struct nat *n = table_of(&a);
	struct flow_record r = record(&a, &a.translated, false), was = r;

	nat_begin(n, &b, NOON);
	ck_assert(!nat_join(n, &r, captured_nowhere, NULL));
	ck_assert_mem_eq(&r, &was, sizeof(r));
	ck_assert(nat_join(n, &r, captured, NULL));
	nat_free(n);
}
END_TEST

UNIT(without_ports_an_entry_lasts_as_long_as_one_of_its_connections)
{
	struct nat_connection a = tunnel("10.0.0.2"), b = a;
	struct nat *n = table_of(&a);
	struct nat_stats s;

	nat_begin(n, &b, NOON);
	nat_last(n, &b, NOON);
	nat_end(n, &a, 0);
	nat_forget(n, KEEP_NS, KEEP_NS);
	nat_stats(n, &s);
	ck_assert_uint_eq(s.connections, 1);
	nat_end(n, &b, 0);
	nat_forget(n, KEEP_NS, KEEP_NS);
	nat_stats(n, &s);
	ck_assert_uint_eq(s.connections, 0);
	nat_free(n);
}
END_TEST

UNIT(a_connection_that_ended_is_kept_for_records_that_come_later)
{
	struct nat_connection c = masqueraded();
	struct nat *n = table_of(&c);
	struct flow_record r = record(&c, &c.original, false);

	nat_end(n, &c, 5 * NS_PER_S);
	nat_forget(n, 5 * NS_PER_S + KEEP_NS - 1, KEEP_NS);
	ck_assert(!nat_join(n, &r, captured, NULL));
	ck_assert_ptr_nonnull(r.nat);
	nat_forget(n, 5 * NS_PER_S + KEEP_NS, KEEP_NS);
	r.nat = NULL;
	ck_assert(!nat_join(n, &r, captured, NULL));
	ck_assert_ptr_null(r.nat);
	nat_free(n);
}
END_TEST

UNIT(a_connection_told_twice_is_kept_once)
{
	struct nat_connection c = masqueraded();
	struct nat *n = table_of(&c);
	struct nat_stats s;

	nat_begin(n, &c, NOON);
	nat_last(n, &c, NOON);
	nat_end(n, &c, 0);
	nat_end(n, &c, 0);
	nat_begin(n, &c, NOON);
	nat_stats(n, &s);
	ck_assert_uint_eq(s.connections, 1);
	nat_end(n, &c, 0);
	nat_forget(n, KEEP_NS, KEEP_NS);
	nat_stats(n, &s);
	ck_assert_uint_eq(s.connections, 0);
	nat_free(n);
}
END_TEST

UNIT(a_translated_port_that_another_gets_belongs_to_each_in_its_time)
{
	struct nat_connection first = masqueraded(), next = first;
	struct nat *n = table_of(&first);
	struct flow_record r = record(&first, &first.translated, false);

	next.original.src[3] = 7;
	nat_end(n, &first, 0);
	nat_begin(n, &next, NOON + 60 * NS_PER_S);
	ck_assert(!nat_join(n, &r, captured_nowhere, NULL));
	ck_assert_uint_eq(r.src[3], 2);
	r = record(&first, &first.translated, false);
	r.fwd.start_ns = r.rev.start_ns = NOON + 61 * NS_PER_S;
	r.fwd.end_ns = r.rev.end_ns = NOON + 62 * NS_PER_S;
	ck_assert(!nat_join(n, &r, captured_nowhere, NULL));
	ck_assert_uint_eq(r.src[3], 7);
	nat_free(n);
}
END_TEST

UNIT(a_connection_is_found_though_the_clock_was_set_back)
{
	struct nat_connection c = masqueraded();
	struct nat *n = nat_new(TABLE);
	struct flow_record r = record(&c, &c.original, false);

	nat_begin(n, &c, NOON + 3600 * NS_PER_S);
	ck_assert(!nat_join(n, &r, captured, NULL));
	ck_assert_ptr_nonnull(r.nat);
	nat_free(n);
}
END_TEST

UNIT(a_plain_connection_with_the_addresses_of_a_translated_one_is_plain)
{
	struct nat_connection c = masqueraded(), plain = c;
	struct nat *n = table_of(&c);
	struct flow_record r = record(&c, &c.translated, false);

	plain.original = c.translated;
	nat_begin(n, &plain, NOON - NS_PER_S);
	ck_assert(!nat_join(n, &r, captured, NULL));
	ck_assert_ptr_null(r.nat);
	nat_free(n);
}
END_TEST

/* As masqueraded(), another port for each. */
static struct nat_connection
numbered(uint16_t i)
{
	struct nat_connection c = masqueraded();

	c.original.src_port = c.translated.src_port = (uint16_t)(1 + i);
	return c;
}

static bool
is_known(struct nat *n, uint16_t i)
{
	struct nat_connection c = numbered(i);
	struct flow_record r = record(&c, &c.original, false);

	nat_join(n, &r, captured, NULL);
	return r.nat != NULL;
}

UNIT(a_full_table_makes_room_by_what_ended_and_then_by_what_is_idle)
{
	struct nat_connection c = numbered(0);
	struct nat *n = table_of(&c);
	struct nat_stats s;

	for (uint16_t i = 1; i < TABLE; i++) {
		c = numbered(i);
		nat_begin(n, &c, NOON);
	}
	c = numbered(5);
	nat_end(n, &c, 0);
	c = numbered(100);
	nat_begin(n, &c, NOON); /* in place of 5 */
	ck_assert(!is_known(n, 5));
	nat_stats(n, &s);
	ck_assert_uint_eq(s.evicted, 0);
	ck_assert(is_known(n, 0)); /* which makes 1 the most idle */
	c = numbered(101);
	nat_begin(n, &c, NOON);
	ck_assert(is_known(n, 0) && !is_known(n, 1) && is_known(n, 101));
	nat_stats(n, &s);
	ck_assert_uint_eq(s.evicted, 1);
	ck_assert_uint_eq(s.connections, TABLE);
	ck_assert_uint_eq(s.connections_max, TABLE);
	ck_assert_uint_eq(s.begun, TABLE + 2);
	nat_free(n);
}
END_TEST

UNIT(many_that_ended_are_forgotten_a_few_at_a_time)
{
	struct nat *n = nat_new(10000);
	struct nat_stats s;
	int turns = 0;

	for (uint16_t i = 0; i < 10000; i++) {
		struct nat_connection c = numbered(i);

		nat_begin(n, &c, NOON);
		nat_end(n, &c, 0);
	}
	for (nat_stats(n, &s); s.connections > 0; nat_stats(n, &s)) {
		uint32_t before = s.connections;

		nat_forget(n, KEEP_NS, KEEP_NS);
		nat_stats(n, &s);
		ck_assert_uint_lt(s.connections, before);
		ck_assert_uint_le(before - s.connections, 256);
		turns++;
	}
	ck_assert_int_gt(turns, 10000 / 256 - 1);
	nat_free(n);
}
END_TEST

/* Were they all looked at for each, this would take minutes. */
UNIT(hosts_without_number_that_tunnel_to_one_take_no_time_without_end)
{
	struct nat *n = nat_new(20000);

	for (uint32_t i = 0; i < 30000; i++) {
		struct nat_connection c = tunnel("10.0.0.2");
		struct flow_record r = record(&c, &c.translated, false);

		c.original.src[1] = (uint8_t)(i >> 16);
		c.original.src[2] = (uint8_t)(i >> 8);
		c.original.src[3] = (uint8_t)i;
		nat_begin(n, &c, NOON);
		ck_assert(nat_join(n, &r, captured, NULL));
		nat_end(n, &c, 0);
	}
	nat_free(n);
}
END_TEST

UNIT_MAIN("nat",
    both_sides_of_a_masqueraded_connection_have_its_original_addresses,
    both_sides_of_a_forwarded_port_have_its_original_addresses,
    both_sides_of_an_ipv6_connection_have_its_original_addresses,
    the_other_side_of_what_is_captured_is_left_out,
    a_record_turned_round_keeps_what_belongs_to_each_half,
    a_record_of_another_connection_stays_as_it_is,
    a_connection_that_is_not_translated_is_not_kept,
    pings_keep_type_and_code_and_have_their_identifiers,
    pings_of_several_hosts_and_of_the_box_are_told_apart,
    messages_of_icmp_about_other_packets_are_of_no_connection,
    tunnels_of_several_hosts_are_not_told_to_be_of_one,
    without_ports_an_entry_lasts_as_long_as_one_of_its_connections,
    a_connection_that_ended_is_kept_for_records_that_come_later,
    a_connection_told_twice_is_kept_once,
    a_translated_port_that_another_gets_belongs_to_each_in_its_time,
    a_connection_is_found_though_the_clock_was_set_back,
    a_plain_connection_with_the_addresses_of_a_translated_one_is_plain,
    a_full_table_makes_room_by_what_ended_and_then_by_what_is_idle,
    many_that_ended_are_forgotten_a_few_at_a_time,
    hosts_without_number_that_tunnel_to_one_take_no_time_without_end)

/* SPDX-License-Identifier: ISC */
/*
 * test_nat_events.c - events of a NAT as Data Records of NetFlow v9 and IPFIX
 * (RFC 8158), octet by octet.
 */
#include "exporter.h"
#include "tests/export.h"
#include "wake.h"

/* Fields with their octets: of IPv4, and in brackets of IPv6. */
#define OCTETS(...) { __VA_ARGS__ }, sizeof((uint8_t[]){ __VA_ARGS__ })

struct octets {
	uint8_t octet[128];
	size_t len;
};

static const struct octets template_v4 = { OCTETS(3, 0, 0, 11, /* 768 */
    1, 67, 0, 8, 0, 230, 0, 1,                                 /* 323, 230 */
    0, 8, 0, 4, 0, 225, 0, 4, 0, 4, 0, 1, 0, 7, 0, 2, 0, 227, 0, 2, /**/
    0, 12, 0, 4, 0, 226, 0, 4, 0, 11, 0, 2, 0, 228, 0, 2) };
static const struct octets template_v6 = { OCTETS(3, 1, 0, 11,        /* 769 */
    1, 67, 0, 8, 0, 230, 0, 1,                                        /**/
    0, 27, 0, 16, 1, 25, 0, 16, 0, 4, 0, 1, 0, 7, 0, 2, 0, 227, 0, 2, /**/
    0, 28, 0, 16, 1, 26, 0, 16, 0, 11, 0, 2, 0, 228, 0, 2) };

/* 192.0.2.1:40000 to 198.51.100.53:53 as 203.0.113.1:61000, at NOON. */
static const struct octets record_v4 = { OCTETS(3, 0, 0, 40,  /* the Set */
    0, 0, 1, 0x8d, 0xf9, 0xe2, 0xb2, 0x00, 4,                 /* time, event */
    192, 0, 2, 1, 203, 0, 113, 1, 17, 0x9c, 0x40, 0xee, 0x48, /**/
    198, 51, 100, 53, 198, 51, 100, 53, 0, 53, 0, 53, 0, 0) };

struct bench {
	struct exporter *e;
	struct sink sink[2];
	size_t n;
};

static void
open_bench(
    struct bench *b, const unsigned *version, size_t n, enum export_mode mode)
{
	static struct wake wake = { .fd = { -1, -1 } };
	struct exporter_config config = {
		.mode = mode, .nat_events = true, .wake = &wake
	};

	if (wake.fd[0] == -1)
		ck_assert_int_eq(wake_init(&wake), 0);
	b->e = exporter_new(&config);
	b->n = n;
	for (size_t i = 0; i < n; i++) {
		struct collector_config to = endpoint_defaults;

		ck_assert_int_eq(sink_open(&b->sink[i], "127.0.0.1"), 0);
		to.version = version[i];
		to.options = 0;
		to.address = b->sink[i].address;
		ck_assert_int_eq(exporter_add_collector(b->e, &to), 0);
	}
	exporter_clock(b->e, NOON);
	exporter_tick(b->e, 0);
}

static void
close_bench(struct bench *b)
{
	exporter_free(b->e);
	for (size_t i = 0; i < b->n; i++)
		sink_close(&b->sink[i]);
}

static struct nat_event
event(void)
{
	struct nat_event ev = { .time_ns = NOON,
		.event = NAT44_SESSION_CREATE };
	struct export_record *c = &ev.connection;

	c->flow = udp_record(NOON);
	memcpy(c->post_src, "\xcb\x00\x71\x01", 4);
	memcpy(c->post_dst, c->flow.dst, 16);
	c->post_src_port = 61000;
	c->post_dst_port = 53;
	return ev;
}

static bool
holds(const uint8_t *data, size_t len, const struct octets *wanted)
{
	return memmem(data, len, wanted->octet, wanted->len) != NULL;
}

/* All that reached a collector, one datagram after another. */
static size_t
gather(struct bench *b, size_t i, uint8_t all[65536])
{
	size_t len = 0;

	exporter_flush(b->e);
	for (ssize_t n; (n = sink_next(&b->sink[i])) > 0; len += (size_t)n)
		memcpy(all + len, b->sink[i].data, (size_t)n);
	return len;
}

/* How many records a NetFlow v9 packet says it has. */
static unsigned
count_of(const uint8_t *packet)
{
	return (unsigned)packet[2] << 8 | packet[3];
}

static const unsigned versions[] = { 9, 10 };
static uint8_t all[65536];

UNIT(an_event_is_a_record_of_a_template_of_its_own)
{
	for (int v = 0; v < 2; v++) {
		struct nat_event ev = event();
		struct bench b;
		size_t len;

		open_bench(&b, &versions[v], 1, EXPORT_REPLICATE);
		exporter_event(b.e, &ev);
		len = gather(&b, 0, all);
		ck_assert(holds(all, len, &template_v4));
		ck_assert(holds(all, len, &template_v6));
		ck_assert(holds(all, len, &record_v4));
		close_bench(&b);
	}
}
END_TEST

UNIT(an_event_of_ipv6_has_its_addresses)
{
	struct nat_event ev = event();
	struct octets set = { { 3, 1, 0, 88 }, 4 };
	struct bench b;
	size_t len;

	ev.connection.flow = udp6_record(NOON);
	memset(ev.connection.post_src, 0xa5, 16);
	memset(ev.connection.post_dst, 0x5a, 16);
	ev.event = NAT_TRANSLATION_DELETE;
	open_bench(&b, &versions[1], 1, EXPORT_REPLICATE);
	exporter_event(b.e, &ev);
	len = gather(&b, 0, all);
	ck_assert(holds(all, len, &set));
	memcpy(set.octet, ev.connection.flow.src, 16);
	memcpy(set.octet + 16, ev.connection.post_src, 16);
	set.octet[32] = 17;
	set.len = 33;
	ck_assert(holds(all, len, &set));
	memcpy(set.octet, ev.connection.flow.dst, 16);
	memcpy(set.octet + 16, ev.connection.post_dst, 16);
	set.len = 32;
	ck_assert(holds(all, len, &set));
	close_bench(&b);
}
END_TEST

UNIT(events_count_in_the_sequence_of_ipfix_and_in_what_was_sent)
{
	struct nat_event ev = event();
	struct collector_stats s;
	struct bench b;
	ssize_t len;

	open_bench(&b, &versions[1], 1, EXPORT_REPLICATE);
	for (int i = 0; i < 3; i++)
		exporter_event(b.e, &ev);
	exporter_stats(b.e, 0, &s);
	ck_assert_uint_eq(s.events, 3);
	ck_assert_uint_eq(s.waiting.records, 3);
	(void)gather(&b, 0, all);
	exporter_event(b.e, &ev);
	exporter_flush(b.e);
	len = sink_next(&b.sink[0]);
	ck_assert_int_gt(len, 16);
	ck_assert_mem_eq(b.sink[0].data + 8, "\0\0\0\3", 4);
	exporter_stats(b.e, 0, &s);
	ck_assert_uint_eq(s.events, 4);
	ck_assert_uint_eq(s.transport.sent.records, 4);
	ck_assert_uint_eq(s.transport.sent.packets, 0);
	close_bench(&b);
}
END_TEST

UNIT(version_9_counts_events_and_their_templates)
{
	struct nat_event ev = event();
	struct bench b;

	open_bench(&b, &versions[0], 1, EXPORT_REPLICATE);
	exporter_event(b.e, &ev);
	exporter_event(b.e, &ev);
	exporter_flush(b.e);
	ck_assert_int_gt(sink_next(&b.sink[0]), 20);
	/* The templates of flows and of events, then two events. */
	ck_assert_uint_eq(count_of(b.sink[0].data), TEMPLATES + 2);
	ck_assert_int_gt(sink_next(&b.sink[0]), 20);
	ck_assert_uint_eq(count_of(b.sink[0].data), 2);
	close_bench(&b);
}
END_TEST

UNIT(events_more_than_a_message_holds_fill_the_next)
{
	struct nat_event ev = event();
	struct collector_stats s;
	struct bench b;

	open_bench(&b, &versions[1], 1, EXPORT_REPLICATE);
	for (int i = 0; i < 200; i++)
		exporter_event(b.e, &ev);
	(void)gather(&b, 0, all);
	exporter_stats(b.e, 0, &s);
	ck_assert_uint_eq(s.transport.sent.records, 200);
	ck_assert_uint_gt(s.transport.datagrams, 4);
	close_bench(&b);
}
END_TEST

UNIT(a_collector_of_version_5_hears_nothing)
{
	static const unsigned two[] = { 5, 10 };
	struct nat_event ev = event();
	struct bench b;

	open_bench(&b, two, 2, EXPORT_REPLICATE);
	exporter_event(b.e, &ev);
	ck_assert_uint_eq(gather(&b, 0, all), 0);
	ck_assert(holds(all, gather(&b, 1, all), &record_v4));
	close_bench(&b);
}
END_TEST

UNIT(an_event_goes_where_the_flows_of_its_connection_go)
{
	static const unsigned two[] = { 10, 10 };
	int told[2] = { 0, 0 };

	for (uint16_t port = 1; port <= 64; port++) {
		struct nat_event ev = event();
		struct collector_stats event_at[2], flow_at[2];
		struct bench b;

		ev.connection.flow.src_port = port;
		open_bench(&b, two, 2, EXPORT_BALANCE);
		exporter_event(b.e, &ev);
		for (size_t i = 0; i < 2; i++)
			exporter_stats(b.e, i, &event_at[i]);
		exporter_add(b.e, &ev.connection.flow);
		for (size_t i = 0; i < 2; i++) {
			exporter_stats(b.e, i, &flow_at[i]);
			ck_assert_uint_eq(
			    flow_at[i].waiting.records, 2 * event_at[i].events);
			told[i] += (int)event_at[i].events;
		}
		close_bench(&b);
	}
	ck_assert_int_gt(told[0], 0);
	ck_assert_int_gt(told[1], 0);
}
END_TEST

UNIT_MAIN("nat_events", an_event_is_a_record_of_a_template_of_its_own,
    an_event_of_ipv6_has_its_addresses,
    events_count_in_the_sequence_of_ipfix_and_in_what_was_sent,
    version_9_counts_events_and_their_templates,
    events_more_than_a_message_holds_fill_the_next,
    a_collector_of_version_5_hears_nothing,
    an_event_goes_where_the_flows_of_its_connection_go)

/* SPDX-License-Identifier: ISC */
/*
 * test_exporter.c - Flow Records go in, datagrams come out of a real socket on
 * the loopback: which, when, how large, with which numbers, and that all that
 * was added is accounted for.
 *
 * Every datagram is taken apart (export.h), and what must hold of any is
 * checked of each: sequence numbers without a gap, no Export Time before the
 * last one's in IPFIX, times of flows in order, nothing above the MTU.
 */
#include <errno.h>
#include <stdbool.h>

#include "exporter.h"
#include "tests/export.h"
#include "wake.h"

#define ENTRIES(table) (sizeof(table) / sizeof((table)[0]))
#define MS NS_PER_MS
#define SEC NS_PER_S

static const unsigned versions[] = { 1, 5, 9, 10 };
#define WITH_SETS 2 /* the first of those that have Templates */

/* A collector on the loopback and what reached it so far. */
struct station {
	struct sink sink;
	struct exporter *e;
	struct known known;
	size_t mtu;
	unsigned datagrams, templates, records;
	uint64_t packets, octets;
	uint32_t domain;
	unsigned last_templates; /* in the last datagram */
	unsigned last_records;
	uint32_t last_unix_s;
	bool lossy; /* datagrams may be missing */
	size_t ntold;
	struct told told[512]; /* of each record, in order; v5 and v9 */
};

/* An Exporting Process and how it sends to each collector. */
struct setup {
	struct exporter_config x;
	struct collector_config to;
};

static struct setup
config_of(unsigned version)
{
	static struct wake wake = { .fd = { -1, -1 } };

	if (wake.fd[0] == -1)
		ck_assert_int_eq(wake_init(&wake), 0);
	return (struct setup){ .x = { .wake = &wake, .replay = true },
		.to = { .version = version,
		    .domain = 7,
		    .mtu = 1400,
		    .template_seconds = 3600,
		    .template_messages = 4096,
		    .queue_octets = 65536,
		    .lookup_ms = 60000,
		    .reconnect_ms = 60000 } };
}

static struct exporter *
make(const struct setup *config)
{
	struct exporter *e = exporter_new(&config->x);

	ck_assert_ptr_nonnull(e);
	return e;
}

/* Add a collector at this address. */
static int
add_collector(struct exporter *e, const struct setup *config,
    const struct collector_address *address)
{
	struct collector_config to = config->to;

	to.address = *address;
	return exporter_add_collector(e, &to);
}

/* Open a collector for e. */
static void
connect_station(
    struct station *st, struct exporter *e, const struct setup *config)
{
	memset(st, 0, sizeof(*st));
	st->e = e;
	st->mtu = config->to.mtu;
	st->domain = config->to.domain;
	ck_assert_int_eq(sink_open(&st->sink, "127.0.0.1"), 0);
	ck_assert_int_eq(add_collector(e, config, &st->sink.address), 0);
}

/* Send what waits in queues, as the main loop does. */
static void
let_go(struct exporter *e)
{
	for (size_t i = 0; i < exporter_collectors(e); i++)
		transport_flush(exporter_transport(e, i));
}

static void
note_record(struct station *st, const struct seen *s, unsigned i)
{
	if (s->version <= 5) {
		struct rbuf r = rb_init(s->record[i] + 16, 8);

		st->packets += rb_u32(&r);
		st->octets += rb_u32(&r);
	} else {
		const struct shape *shape =
		    &st->known.shape[s->set_id[i] - 256];

		st->packets += value_of(shape, s->record[i], 2);
		st->octets += value_of(shape, s->record[i], 1);
	}
	if (s->version != 10 && st->ntold < ENTRIES(st->told))
		st->told[st->ntold++] = told_times(s, &st->known, i);
}

static void
note_datagram(struct station *st, const struct seen *s)
{
	ck_assert_uint_le(s->len, st->mtu);
	ck_assert_uint_gt(s->templates + s->records, 0);
	if (s->version != 1) /* which has neither */
		ck_assert_uint_eq(s->domain, st->domain);
	if (s->version != 1 && !st->lossy)
		ck_assert_uint_eq(
		    s->sequence, s->version == 9 ? st->datagrams : st->records);
	if (s->version == 10)
		ck_assert_uint_ge(s->unix_s, st->last_unix_s);
	for (unsigned i = 0; i < s->records; i++)
		note_record(st, s, i);
	st->datagrams++;
	st->templates += s->templates;
	st->records += s->records;
	st->last_templates = s->templates;
	st->last_records = s->records;
	st->last_unix_s = s->unix_s;
}

/* Take in all that arrived; how many datagrams. */
static unsigned
collect(struct station *st)
{
	unsigned n = 0;

	let_go(st->e);
	for (ssize_t len; (len = sink_next(&st->sink)) > 0; n++) {
		struct seen s = see(st->sink.data, (size_t)len, &st->known);

		note_datagram(st, &s);
	}
	return n;
}

/* One collector and the Exporting Process that sends to it. */
struct bench {
	struct exporter *e;
	struct setup config;
	struct station at;
};

static void
open_bench(struct bench *b, const struct setup *config)
{
	b->config = *config;
	b->e = make(config);
	connect_station(&b->at, b->e, config);
}

static void
close_bench(struct bench *b)
{
	exporter_free(b->e);
	sink_close(&b->at.sink);
}

static void
add_udp(struct exporter *e, uint64_t at_ns)
{
	struct flow_record r = udp_record(at_ns);

	exporter_add(e, &r);
}

/* Change the fields of a bench: the element, or not.  0 as exporter_change. */
static int
change_fields(struct bench *b, bool on)
{
	struct collector_config to = b->config.to;

	to.address = b->at.sink.address;
	ck_assert(
	    field_choose(&b->config.x.fields, "flowDurationMilliseconds", on));
	return exporter_change(b->e, &b->config.x, &to, 1);
}

/* A varied, repeatable stream: record i of it. */
static struct flow_record
stream_record(unsigned i)
{
	uint32_t random = i * 2654435761U;
	struct flow_record r = flavoured_record(random >> 13 & 7);
	uint64_t at_ns = NOON + 20 * MS * i;

	r.fwd.start_ns = at_ns - (random >> 8 & 0xffff) * MS;
	r.fwd.end_ns = at_ns - (random & 0xff) * MS;
	if (r.fwd.start_ns > r.fwd.end_ns)
		r.fwd.start_ns = r.fwd.end_ns;
	r.fwd.packets = 1 + (random >> 20);
	r.fwd.octets = r.fwd.packets * 100;
	r.ended_ns = at_ns;
	if (i % 3 == 0) {
		r.rev = r.fwd;
		r.rev.packets++;
	}
	if (i % 7 == 0)
		r.fwd.packets = r.fwd.octets = 0; /* only the way back */
	return r;
}

static void
add_cargo_of(struct cargo *sum, const struct flow_half *half)
{
	sum->records += half->packets != 0;
	sum->packets += half->packets;
	sum->octets += half->octets;
}

/* Add n records of the stream, and what they carry to *sum if not NULL. */
static void
add_stream(struct exporter *e, unsigned n, struct cargo *sum)
{
	for (unsigned i = 0; i < n; i++) {
		struct flow_record r = stream_record(i);

		exporter_add(e, &r);
		let_go(e);
		if (sum == NULL)
			continue;
		if (r.fwd.packets != 0)
			add_cargo_of(sum, &r.fwd);
		if (r.rev.packets != 0)
			add_cargo_of(sum, &r.rev);
	}
}

UNIT(a_version_without_a_format_is_refused)
{
	struct setup config = config_of(7);
	struct exporter *e = make(&config);

	errno = 0;
	ck_assert_int_eq(exporter_add_collector(e, &config.to), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_uint_eq(exporter_collectors(e), 0);
	exporter_free(e);
}
END_TEST

UNIT(the_format_is_named_and_a_numeric_collector_is_settled)
{
	static const char *const names[] = { "NetFlow v1", "NetFlow v5",
		"NetFlow v9", "IPFIX" };

	for (size_t v = 0; v < ENTRIES(versions); v++) {
		struct setup config = config_of(versions[v]);
		struct bench b;

		open_bench(&b, &config);
		ck_assert_uint_eq(exporter_collectors(b.e), 1);
		ck_assert_str_eq(exporter_format(b.e, 0), names[v]);
		ck_assert(exporter_settled(b.e));
		ck_assert(!exporter_pending(b.e));
		close_bench(&b);
	}
}
END_TEST

/* What is sent ------------------------------------------------------------- */

UNIT(each_half_that_saw_packets_becomes_one_data_record)
{
	for (size_t v = 0; v < ENTRIES(versions); v++) {
		struct setup config = config_of(versions[v]);
		struct flow_record r = tcp_record();
		struct bench b;

		open_bench(&b, &config);
		exporter_add(b.e, &r);
		exporter_flush(b.e);
		collect(&b.at);
		ck_assert_uint_eq(b.at.records, 2);
		ck_assert_uint_eq(b.at.packets, 18);
		ck_assert_uint_eq(b.at.octets, 45000);
		r.fwd.packets = 0;
		exporter_add(b.e, &r);
		exporter_flush(b.e);
		collect(&b.at);
		ck_assert_uint_eq(b.at.records, 3);
		ck_assert_uint_eq(b.at.packets, 26);
		close_bench(&b);
	}
}
END_TEST

UNIT(rfc3954_7_templates_stand_before_the_first_data)
{
	for (size_t v = WITH_SETS; v < ENTRIES(versions); v++) {
		struct setup config = config_of(versions[v]);
		struct bench b;

		open_bench(&b, &config);
		add_udp(b.e, NOON);
		exporter_flush(b.e);
		collect(&b.at); /* checks that data has a template */
		ck_assert_uint_eq(b.at.templates, TEMPLATES);
		ck_assert_uint_eq(b.at.records, 1);
		add_udp(b.e, NOON + 1);
		exporter_flush(b.e);
		collect(&b.at);
		ck_assert_uint_eq(b.at.last_templates, 0);
		close_bench(&b);
	}
}
END_TEST

UNIT(flushing_without_records_sends_nothing)
{
	for (size_t v = 0; v < ENTRIES(versions); v++) {
		struct setup config = config_of(versions[v]);
		struct bench b;

		open_bench(&b, &config);
		exporter_flush(b.e);
		exporter_flush(b.e);
		ck_assert_uint_eq(collect(&b.at), 0);
		close_bench(&b);
	}
}
END_TEST

/* Whether a session's second s has templates, if they are sent each minute. */
static bool
second_has_templates(uint64_t s)
{
	/* 1, 2, 4, 8, 16 and 32 seconds apart, then 60 */
	return s < 63 ? (s & (s + 1)) == 0 : (s - 63) % 60 == 0;
}

UNIT(rfc7011_10_3_2_templates_are_sent_again_after_the_refresh_time)
{
	for (size_t v = WITH_SETS; v < ENTRIES(versions); v++) {
		struct setup config = config_of(versions[v]);
		struct bench b;

		config.to.template_seconds = 60;
		open_bench(&b, &config);
		for (uint64_t s = 0; s <= 240; s++) {
			add_udp(b.e, NOON + s * SEC);
			exporter_flush(b.e);
			collect(&b.at);
			ck_assert_uint_eq(b.at.last_templates,
			    second_has_templates(s) ? TEMPLATES : 0);
		}
		close_bench(&b);
	}
}
END_TEST

UNIT(rfc3954_9_templates_are_sent_again_after_so_many_messages)
{
	for (size_t v = WITH_SETS; v < ENTRIES(versions); v++) {
		struct setup config = config_of(versions[v]);
		struct bench b;

		config.to.template_messages = 3;
		open_bench(&b, &config);
		for (unsigned i = 0; i < 10; i++) {
			add_udp(b.e, NOON + i);
			exporter_flush(b.e);
			collect(&b.at);
			ck_assert_uint_eq(
			    b.at.last_templates, i % 3 == 0 ? TEMPLATES : 0);
		}
		close_bench(&b);
	}
}
END_TEST

UNIT(templates_are_sent_after_8_messages_then_16_up_to_the_refresh_count)
{
	static const unsigned with[] = { 0, 8, 24, 56, 96, 136, 176 };

	for (size_t v = WITH_SETS; v < ENTRIES(versions); v++) {
		struct setup config = config_of(versions[v]);
		struct bench b;
		size_t next = 0;

		config.to.template_messages = 40;
		open_bench(&b, &config);
		for (unsigned i = 0; i <= 176; i++) {
			add_udp(b.e, NOON + i);
			exporter_flush(b.e);
			collect(&b.at);
			ck_assert_uint_eq(b.at.last_templates,
			    i == with[next] ? TEMPLATES : 0);
			next += i == with[next];
		}
		close_bench(&b);
	}
}
END_TEST

UNIT(templates_are_sent_at_once_when_asked_for_and_counted)
{
	for (size_t v = WITH_SETS; v < ENTRIES(versions); v++) {
		struct setup config = config_of(versions[v]);
		struct collector_stats stats;
		struct bench b;

		open_bench(&b, &config);
		add_udp(b.e, NOON);
		exporter_send_templates(b.e); /* after what waits */
		ck_assert_uint_eq(collect(&b.at), 2);
		ck_assert_uint_eq(b.at.templates, UINT64_C(2) * TEMPLATES);
		ck_assert_uint_eq(b.at.last_records, 0);
		exporter_stats(b.e, 0, &stats);
		ck_assert_uint_eq(stats.templates, UINT64_C(2) * TEMPLATES);
		close_bench(&b);
	}
}
END_TEST

UNIT(netflow5_has_no_templates_to_send)
{
	struct setup config = config_of(5);
	struct bench b;

	open_bench(&b, &config);
	exporter_send_templates(b.e);
	ck_assert_uint_eq(collect(&b.at), 0);
	close_bench(&b);
}
END_TEST

UNIT(rfc7011_3_1_sequence_counts_data_records_sent_before)
{
	struct setup config = config_of(10);
	struct bench b;

	config.to.mtu = 300;
	config.to.template_messages = 5;
	open_bench(&b, &config);
	add_stream(b.e, 200, NULL);
	exporter_flush(b.e);
	collect(&b.at); /* checks the sequence of each */
	ck_assert_uint_gt(b.at.datagrams, 40);
	ck_assert_uint_gt(b.at.templates, UINT64_C(5) * TEMPLATES);
	close_bench(&b);
}
END_TEST

UNIT(each_collector_has_a_sequence_and_templates_of_its_own)
{
	for (size_t v = 0; v < ENTRIES(versions); v++) {
		struct setup config = config_of(versions[v]);
		static struct station late;
		struct bench b;

		open_bench(&b, &config);
		for (unsigned i = 0; i < 5; i++) {
			add_udp(b.e, NOON + i);
			exporter_flush(b.e);
		}
		connect_station(&late, b.e, &config);
		add_udp(b.e, NOON + 5);
		exporter_flush(b.e);
		ck_assert_uint_eq(collect(&b.at), 6);
		ck_assert_uint_eq(collect(&late), 1); /* from 0 on */
		ck_assert_uint_eq(b.at.templates, late.templates);
		sink_close(&late.sink);
		close_bench(&b);
	}
}
END_TEST

static void
check_mtu(unsigned version, uint32_t mtu, bool with_mac)
{
	struct setup config = config_of(version);
	struct cargo sum = { 0 };
	struct collector_stats stats;
	struct bench b;

	config.to.mtu = mtu;
	config.x.fields.mac = with_mac;
	open_bench(&b, &config);
	add_stream(b.e, 64, &sum);
	exporter_flush(b.e);
	collect(&b.at);
	exporter_stats(b.e, 0, &stats);
	ck_assert_uint_eq(b.at.records + stats.unfit.records, sum.records);
	ck_assert_uint_eq(b.at.octets + stats.unfit.octets, sum.octets);
	if (version >= 9) {
		ck_assert_uint_ge(b.at.templates, TEMPLATES);
		ck_assert_uint_eq(b.at.templates % TEMPLATES, 0);
	}
	close_bench(&b);
}

UNIT(no_datagram_is_larger_than_the_mtu_from_256_to_1400)
{
	for (size_t v = 0; v < ENTRIES(versions); v++)
		for (uint32_t mtu = 256; mtu <= 1400; mtu += mtu < 300 ? 1 : 61)
			check_mtu(versions[v], mtu, mtu % 2 == 0);
}
END_TEST

UNIT(templates_take_as_many_messages_as_they_need)
{
	for (size_t v = WITH_SETS; v < ENTRIES(versions); v++) {
		struct setup config = config_of(versions[v]);
		struct bench b;

		config.to.mtu = 256;
		config.x.fields.mac = true;
		open_bench(&b, &config);
		exporter_clock(b.e, NOON);
		exporter_send_templates(b.e);
		ck_assert_uint_ge(collect(&b.at), 3);
		ck_assert_uint_eq(b.at.templates, TEMPLATES);
		close_bench(&b);
	}
}
END_TEST

/* When it is sent ---------------------------------------------------------- */

UNIT(replay_a_message_leaves_after_half_a_second_of_record_time)
{
	for (size_t v = 0; v < ENTRIES(versions); v++) {
		struct setup config = config_of(versions[v]);
		struct bench b;

		open_bench(&b, &config);
		add_udp(b.e, NOON);
		add_udp(b.e, NOON + 499 * MS);
		exporter_tick(b.e, 1000 * SEC); /* real time means nothing */
		ck_assert_uint_eq(collect(&b.at), 0);
		add_udp(b.e, NOON + 500 * MS);
		ck_assert_uint_eq(collect(&b.at), 1);
		ck_assert_uint_eq(b.at.records, 2);
		close_bench(&b);
	}
}
END_TEST

UNIT(replay_a_message_is_dated_half_a_second_after_its_first_record)
{
	for (size_t v = 0; v < ENTRIES(versions); v++) {
		struct setup config = config_of(versions[v]);
		struct bench b;

		open_bench(&b, &config);
		add_udp(b.e, NOON + 700 * MS);
		add_udp(b.e, NOON + 100 * SEC); /* when it leaves */
		ck_assert_uint_eq(collect(&b.at), 1);
		ck_assert_uint_eq(b.at.last_unix_s, NOON_S + 1);
		close_bench(&b);
	}
}
END_TEST

UNIT(live_a_message_leaves_by_tick_after_half_a_second)
{
	for (size_t v = 0; v < ENTRIES(versions); v++) {
		struct setup config = config_of(versions[v]);
		struct bench b;

		config.x.replay = false;
		open_bench(&b, &config);
		exporter_clock(b.e, NOON);
		add_udp(b.e, NOON - 10 * SEC);
		exporter_clock(b.e, NOON + 499 * MS);
		exporter_tick(b.e, 1 * SEC);
		ck_assert_uint_eq(collect(&b.at), 0);
		exporter_clock(b.e, NOON + 500 * MS);
		exporter_tick(b.e, 1 * SEC + MS);
		ck_assert_uint_eq(collect(&b.at), 1);
		ck_assert_uint_eq(b.at.records, 1);
		close_bench(&b);
	}
}
END_TEST

UNIT(live_a_clock_set_back_an_hour_holds_no_message_up)
{
	for (size_t v = 0; v < ENTRIES(versions); v++) {
		struct setup config = config_of(versions[v]);
		struct bench b;

		config.x.replay = false;
		open_bench(&b, &config);
		exporter_clock(b.e, NOON);
		add_udp(b.e, NOON - 10 * SEC);
		exporter_clock(b.e, NOON - 3600 * SEC);
		exporter_tick(b.e, 1 * SEC);
		exporter_clock(b.e, NOON - 3600 * SEC + 500 * MS);
		exporter_tick(b.e, 2 * SEC);
		ck_assert_uint_ge(collect(&b.at), 1);
		ck_assert_uint_eq(b.at.records, 1);
		close_bench(&b);
	}
}
END_TEST

UNIT(live_templates_are_sent_and_refreshed_without_any_flow)
{
	for (size_t v = WITH_SETS; v < ENTRIES(versions); v++) {
		struct setup config = config_of(versions[v]);
		struct bench b;

		config.x.replay = false;
		config.to.template_seconds = 60;
		open_bench(&b, &config);
		for (uint64_t s = 0; s <= 120; s++) {
			exporter_clock(b.e, NOON + s * SEC);
			exporter_tick(b.e, s * SEC);
			ck_assert_uint_eq(
			    collect(&b.at), second_has_templates(s));
		}
		ck_assert_uint_eq(b.at.templates, UINT64_C(7) * TEMPLATES);
		close_bench(&b);
	}
}
END_TEST

/* How many Template and Data Records the next datagram must have. */
static void
check_next(struct station *st, unsigned templates, unsigned records)
{
	struct seen s;
	ssize_t len;

	let_go(st->e);
	len = sink_next(&st->sink);
	ck_assert_int_gt(len, 0);
	s = see(st->sink.data, (size_t)len, &st->known);
	ck_assert_uint_eq(s.templates, templates);
	ck_assert_uint_eq(s.records, records);
}

UNIT(live_a_collector_that_refused_gets_templates_with_its_first_message)
{
	for (size_t v = WITH_SETS; v < ENTRIES(versions); v++) {
		struct setup config = config_of(versions[v]);
		struct bench b;

		config.x.replay = false;
		open_bench(&b, &config);
		exporter_clock(b.e, NOON);
		sink_close(&b.at.sink);
		add_udp(b.e, NOON - SEC);
		exporter_flush(b.e);
		let_go(b.e);
		exporter_tick(b.e, 10 * SEC); /* the refusal is seen */
		sink_reopen(&b.at.sink, &b.at.sink.address);
		add_udp(b.e, NOON - SEC);
		exporter_flush(b.e);
		check_next(&b.at, TEMPLATES, 1);
		exporter_tick(b.e, 12 * SEC); /* now it is sure */
		check_next(&b.at, TEMPLATES, 0);
		add_udp(b.e, NOON - SEC);
		exporter_flush(b.e);
		check_next(&b.at, 0, 1);
		close_bench(&b);
	}
}
END_TEST

UNIT(rfc7011_8_export_time_never_runs_backwards_in_ipfix)
{
	struct setup config = config_of(10);
	struct bench b;

	config.x.replay = false;
	open_bench(&b, &config);
	for (uint64_t i = 0; i < 20; i++) {
		exporter_clock(b.e, NOON + (i % 2 == 0 ? i : 40 - i) * SEC);
		add_udp(b.e, NOON - 10 * SEC);
		exporter_flush(b.e);
	}
	collect(&b.at); /* checks each */
	ck_assert_uint_eq(b.at.datagrams, 20);
	close_bench(&b);
	config.x.replay = true;
	open_bench(&b, &config);
	for (uint64_t i = 0; i < 20; i++)
		add_udp(b.e, NOON + (i % 3 == 0 ? 1000 : i) * SEC);
	exporter_flush(b.e);
	collect(&b.at);
	ck_assert_uint_eq(b.at.records, 20);
	close_bench(&b);
}
END_TEST

/* Replay ------------------------------------------------------------------- */

/* All datagrams of a replay of the stream, one behind the other. */
static size_t
replay(unsigned version, uint64_t mono_ns, uint8_t *all, size_t room)
{
	struct setup config = config_of(version);
	size_t len = 0;
	struct bench b;

	config.to.mtu = 400;
	config.to.template_seconds = 2;
	open_bench(&b, &config);
	for (unsigned i = 0; i < 400; i++) {
		struct flow_record r = stream_record(i);

		exporter_add(b.e, &r);
		if (mono_ns % (i + 1) == 0)
			exporter_tick(b.e, mono_ns += 777 * MS);
		if (i == 399)
			exporter_flush(b.e);
		let_go(b.e);
		for (ssize_t n; (n = sink_next(&b.at.sink)) > 0;) {
			ck_assert_uint_le(len + (size_t)n, room);
			memcpy(all + len, b.at.sink.data, (size_t)n);
			len += (size_t)n;
		}
	}
	close_bench(&b);
	return len;
}

UNIT(two_replays_give_the_same_datagrams)
{
	static uint8_t one[1 << 17], two[1 << 17];

	for (size_t v = 0; v < ENTRIES(versions); v++) {
		size_t len = replay(versions[v], 5040, one, sizeof(one));

		ck_assert_uint_gt(len, 10000);
		ck_assert_uint_eq(
		    replay(versions[v], 99999999, two, sizeof(two)), len);
		ck_assert_mem_eq(one, two, len);
	}
}
END_TEST

/* Time --------------------------------------------------------------------- */

/*
 * Replay flows of one second that end at these seconds since 1970; a
 * collector must find the times of each to the millisecond.
 */
static void
check_relative_times(const uint64_t *end_s, size_t n)
{
	for (unsigned version = 5; version <= 9; version += 4) {
		struct setup config = config_of(version);
		struct bench b;

		open_bench(&b, &config);
		for (size_t i = 0; i < n; i++) {
			struct flow_record r = udp_record(end_s[i] * SEC);

			r.fwd.start_ns -= 987 * MS;
			exporter_add(b.e, &r);
		}
		exporter_flush(b.e);
		collect(&b.at);
		ck_assert_uint_eq(b.at.ntold, n);
		for (size_t i = 0; i < n; i++) {
			ck_assert_uint_eq(
			    b.at.told[i].last_ms, end_s[i] * 1000);
			ck_assert_uint_eq(
			    b.at.told[i].first_ms, end_s[i] * 1000 - 987);
		}
		close_bench(&b);
	}
}

#define DAY UINT64_C(86400)
#define WRAP_S UINT64_C(4294967) /* 2^32 ms */

UNIT(relative_times_are_exact_over_years_of_flows)
{
	uint64_t end_s[300];

	for (size_t i = 0; i < ENTRIES(end_s); i++)
		end_s[i] = NOON_S + i * 7 * DAY;
	check_relative_times(end_s, ENTRIES(end_s));
}
END_TEST

UNIT(relative_times_are_exact_when_flows_are_49_days_apart)
{
	static const uint64_t end_s[] = { NOON_S, NOON_S + WRAP_S - 1,
		NOON_S + WRAP_S, NOON_S + WRAP_S + 1, NOON_S + 2 * WRAP_S,
		NOON_S + 2 * WRAP_S + WRAP_S / 2, NOON_S + 3 * WRAP_S,
		NOON_S + 400 * DAY, NOON_S + 400 * DAY + 1 };

	check_relative_times(end_s, ENTRIES(end_s));
}
END_TEST

UNIT(relative_times_are_exact_when_flows_jump_back_some_days)
{
	static const uint64_t end_s[] = { NOON_S, NOON_S - 1, NOON_S - 3600,
		NOON_S - 20 * DAY, NOON_S - 30 * DAY, NOON_S, NOON_S - 1 };

	check_relative_times(end_s, ENTRIES(end_s));
}
END_TEST

UNIT(relative_times_are_exact_when_flows_jump_back_years)
{
	static const uint64_t end_s[] = { NOON_S, NOON_S - 60 * DAY,
		NOON_S - 60 * DAY + 1, NOON_S - 4000 * DAY, NOON_S,
		NOON_S - 100 * DAY };

	check_relative_times(end_s, ENTRIES(end_s));
}
END_TEST

UNIT(relative_times_are_exact_for_flows_of_1970)
{
	static const uint64_t end_s[] = { 1, 2, 60, 100 * DAY, 3, 1, 5 * DAY };

	check_relative_times(end_s, ENTRIES(end_s));
}
END_TEST

UNIT(relative_times_are_exact_for_flows_of_2106)
{
	static const uint64_t end_s[] = { 4294965600, 4294965601, 4294967000,
		NOON_S, 1, 4294967290 };

	check_relative_times(end_s, ENTRIES(end_s));
}
END_TEST

/* Of the next datagram, which a collector takes for the time of boot. */
static uint64_t
boot_ms_of_next(struct station *st)
{
	struct seen s;
	ssize_t len;

	let_go(st->e);
	len = sink_next(&st->sink);
	ck_assert_int_gt(len, 0);
	s = see(st->sink.data, (size_t)len, &st->known);
	return s.unix_s * UINT64_C(1000) - s.uptime_ms;
}

UNIT(rfc3954_5_1_uptime_of_templates_without_data_does_not_wrap)
{
	struct setup config = config_of(9);
	struct bench b;

	config.x.replay = false;
	config.to.template_seconds = 30 * DAY;
	open_bench(&b, &config);
	exporter_clock(b.e, NOON);
	exporter_send_templates(b.e); /* before anything else */
	ck_assert_uint_ge(boot_ms_of_next(&b.at), (NOON_S - 25 * DAY) * 1000);
	for (uint64_t day = 0; day < 200; day += 10) {
		exporter_clock(b.e, NOON + day * DAY * SEC);
		exporter_send_templates(b.e);
		ck_assert_uint_ge(boot_ms_of_next(&b.at),
		    (NOON_S + day * DAY - 25 * DAY) * 1000);
	}
	close_bench(&b);
}
END_TEST

/* The clock is months ahead of flows, in messages of this size. */
static void
check_clock_ahead(unsigned version, uint32_t mtu)
{
	struct setup config = config_of(version);
	struct bench b;

	config.x.replay = false;
	config.to.mtu = mtu;
	config.to.template_messages = 1;
	open_bench(&b, &config);
	exporter_clock(b.e, NOON);
	for (uint64_t i = 0; i < 30; i++)
		add_udp(b.e, NOON - 90 * DAY * SEC + i * 41 * MS);
	exporter_flush(b.e);
	collect(&b.at);
	ck_assert_uint_eq(b.at.ntold, 30);
	for (uint64_t i = 0; i < 30; i++)
		ck_assert_uint_eq(
		    b.at.told[i].last_ms, (NOON_S - 90 * DAY) * 1000 + i * 41);
	close_bench(&b);
}

UNIT(a_clock_ahead_of_the_flows_by_months_does_not_wrap_uptime)
{
	for (uint32_t mtu = 256; mtu <= 800; mtu += 4) {
		check_clock_ahead(5, mtu);
		check_clock_ahead(9, mtu);
	}
}
END_TEST

/* Accounting --------------------------------------------------------------- */

static void
check_sum(const struct collector_stats *s, const struct cargo *added)
{
	const struct cargo *sent = &s->transport.sent;
	const struct cargo *lost = &s->transport.lost;

	ck_assert_uint_eq(sent->records + lost->records + s->waiting.records +
			      s->unfit.records + s->elsewhere.records,
	    added->records);
	ck_assert_uint_eq(sent->packets + lost->packets + s->waiting.packets +
			      s->unfit.packets + s->elsewhere.packets,
	    added->packets);
	ck_assert_uint_eq(sent->octets + lost->octets + s->waiting.octets +
			      s->unfit.octets + s->elsewhere.octets,
	    added->octets);
}

static void
check_unfit(unsigned version)
{
	struct setup config = config_of(version);
	struct flow_record r = udp6_record(NOON);
	struct collector_stats stats;
	struct bench b;

	r.rev = r.fwd;
	open_bench(&b, &config);
	exporter_add(b.e, &r);
	exporter_flush(b.e);
	ck_assert_uint_eq(collect(&b.at), 0);
	add_udp(b.e, NOON);
	exporter_flush(b.e);
	ck_assert_uint_eq(collect(&b.at), 1);
	ck_assert_uint_eq(b.at.records, 1);
	exporter_stats(b.e, 0, &stats);
	ck_assert_uint_eq(stats.unfit.records, 2);
	ck_assert_uint_eq(stats.unfit.packets, 2);
	ck_assert_uint_eq(stats.unfit.octets, 120);
	close_bench(&b);
}

UNIT(netflow1_and_5_count_ipv6_flows_as_unfit_and_send_none)
{
	check_unfit(1);
	check_unfit(5);
}
END_TEST

UNIT(a_collector_that_refuses_or_is_unknown_costs_another_nothing)
{
	static const struct collector_address nowhere = { "nowhere.invalid",
		"2055" };

	for (size_t v = 0; v < ENTRIES(versions); v++) {
		struct setup config = config_of(versions[v]);
		struct collector_address closed;
		struct cargo added = { 0 };
		struct collector_stats stats;
		struct bench b;

		closed_port(&closed);
		config.to.mtu = 512;
		b.config = config;
		b.e = make(&config);
		ck_assert_int_eq(add_collector(b.e, &config, &closed), 0);
		ck_assert_int_eq(add_collector(b.e, &config, &nowhere), 0);
		connect_station(&b.at, b.e, &config);
		ck_assert(!exporter_settled(b.e));
		add_stream(b.e, 300, &added);
		ck_assert(exporter_ready(b.e, SEC)); /* nobody is held up */
		for (size_t i = 0; i < 3; i++) {
			exporter_stats(b.e, i, &stats);
			check_sum(&stats, &added);
		}
		exporter_flush(b.e);
		collect(&b.at);
		ck_assert(!exporter_pending(b.e));
		exporter_stats(b.e, 2, &stats);
		check_sum(&stats, &added);
		ck_assert_uint_eq(stats.transport.lost.records, 0);
		ck_assert_uint_eq(stats.waiting.records, 0);
		ck_assert_uint_eq(b.at.records, stats.transport.sent.records);
		ck_assert_uint_eq(b.at.packets, stats.transport.sent.packets);
		ck_assert_uint_eq(b.at.octets, stats.transport.sent.octets);
		ck_assert_uint_eq(b.at.datagrams, stats.transport.datagrams);
		exporter_stats(b.e, 1, &stats);
		check_sum(&stats, &added);
		ck_assert_uint_eq(stats.transport.sent.records, 0);
		exporter_stats(b.e, 0, &stats);
		ck_assert_uint_gt(stats.transport.refused, 0);
		close_bench(&b);
	}
}
END_TEST

/* Whatever the size and the refresh, nothing vanishes between the two. */
static void
check_all_told(unsigned version, uint32_t mtu)
{
	struct setup config = config_of(version);
	struct cargo added = { 0 };
	struct collector_stats stats;
	struct bench b;

	config.to.mtu = mtu;
	config.to.template_messages = 1 + mtu / 4 % 4;
	open_bench(&b, &config);
	add_stream(b.e, 24, &added);
	exporter_flush(b.e);
	exporter_stats(b.e, 0, &stats);
	check_sum(&stats, &added);
	collect(&b.at);
	ck_assert_uint_eq(b.at.records, added.records);
	close_bench(&b);
}

UNIT(balance_gives_each_record_to_one_collector_and_accounts_for_all)
{
	for (size_t v = WITH_SETS; v < ENTRIES(versions); v++) {
		static struct station at[3];
		struct setup config = config_of(versions[v]);
		struct collector_stats stats;
		struct cargo added = { 0 }, seen = { 0 };
		struct exporter *e;

		config.x.mode = EXPORT_BALANCE;
		e = make(&config);
		for (size_t i = 0; i < ENTRIES(at); i++)
			connect_station(&at[i], e, &config);
		add_stream(e, 300, &added);
		exporter_flush(e);
		for (size_t i = 0; i < ENTRIES(at); i++) {
			collect(&at[i]);
			exporter_stats(e, i, &stats);
			check_sum(&stats, &added);
			ck_assert_uint_eq(
			    at[i].packets, stats.transport.sent.packets);
			seen.records += at[i].records;
			seen.packets += at[i].packets;
			seen.octets += at[i].octets;
			sink_close(&at[i].sink);
		}
		ck_assert_uint_eq(seen.records, added.records);
		ck_assert_uint_eq(seen.packets, added.packets);
		ck_assert_uint_eq(seen.octets, added.octets);
		exporter_free(e);
	}
}
END_TEST

/* A second of a live run, in which a flow ends; what each station got. */
static void
live_second(struct exporter *e, uint64_t s, struct station at[2])
{
	exporter_clock(e, NOON + s * SEC);
	exporter_tick(e, s * SEC);
	add_udp(e, NOON + s * SEC);
	exporter_flush(e);
	for (size_t i = 0; i < 2; i++) {
		at[i].records = 0;
		collect(&at[i]);
	}
}

UNIT(failover_sends_to_the_second_while_the_first_refuses_and_then_back)
{
	static struct station at[2];
	struct setup config = config_of(9);
	struct collector_stats stats;
	struct cargo added = { 0 };
	struct exporter *e;
	uint64_t s = 1;

	config.x.replay = false;
	config.x.mode = EXPORT_FAILOVER;
	e = make(&config);
	for (size_t i = 0; i < 2; i++)
		connect_station(&at[i], e, &config);
	for (; s < 10; s++) {
		live_second(e, s, at);
		ck_assert_uint_eq(at[0].records, 1);
		ck_assert_uint_eq(at[1].records, 0);
	}
	sink_close(&at[0].sink);
	at[0].lossy = true;
	live_second(e, s++, at); /* lost: nobody knows yet */
	for (; s < 30; s++) {
		live_second(e, s, at);
		ck_assert_uint_eq(at[1].records, 1);
	}
	sink_reopen(&at[0].sink, &at[0].sink.address);
	/* It is tried every 5 s, believed after 2 s, and used 10 s later. */
	for (; s < 60; s++) {
		live_second(e, s, at);
		ck_assert_uint_eq(at[0].records + at[1].records, 1);
		ck_assert(s > 39 || at[1].records == 1);
		ck_assert(s < 50 || at[0].records == 1);
	}
	added = (struct cargo){ 59, 59, UINT64_C(59) * 60 };
	for (size_t i = 0; i < 2; i++) {
		exporter_stats(e, i, &stats);
		check_sum(&stats, &added);
		sink_close(&at[i].sink);
	}
	exporter_free(e);
}
END_TEST

UNIT(a_collector_that_goes_on_refusing_is_never_taken_for_back)
{
	struct setup config = config_of(9);
	struct collector_address closed;
	struct collector_stats stats;
	struct exporter *e;

	config.x.replay = false;
	closed_port(&closed);
	e = make(&config);
	ck_assert_int_eq(add_collector(e, &config, &closed), 0);
	for (uint64_t s = 1; s < 60; s++) {
		exporter_clock(e, NOON + s * SEC);
		exporter_tick(e, s * SEC);
		exporter_tick(e, s * SEC + 200 * MS);
		ck_assert(s < 3 || transport_refused(exporter_transport(e, 0)));
	}
	exporter_stats(e, 0, &stats); /* it is tried every 5 s */
	ck_assert_uint_ge(stats.transport.refused, 10);
	exporter_free(e);
}
END_TEST

UNIT(no_record_is_lost_between_templates_and_the_mtu)
{
	for (size_t v = WITH_SETS; v < ENTRIES(versions); v++)
		for (uint32_t mtu = 256; mtu <= 1400; mtu += 4)
			check_all_told(versions[v], mtu);
}
END_TEST

/* The same for a collector that refuses: templates before each message. */
static void
check_all_refused(unsigned version, uint32_t mtu)
{
	struct setup config = config_of(version);
	struct collector_address closed;
	struct cargo added = { 0 };
	struct collector_stats stats;
	struct exporter *e;

	config.to.mtu = mtu;
	e = make(&config);
	closed_port(&closed);
	ck_assert_int_eq(add_collector(e, &config, &closed), 0);
	add_stream(e, 24, &added);
	exporter_stats(e, 0, &stats);
	check_sum(&stats, &added);
	ck_assert_uint_gt(stats.transport.refused, 0);
	exporter_free(e);
}

UNIT(no_record_is_lost_when_templates_stand_before_each_message)
{
	for (size_t v = WITH_SETS; v < ENTRIES(versions); v++)
		for (uint32_t mtu = 256; mtu <= 800; mtu += 4)
			check_all_refused(versions[v], mtu);
}
END_TEST

UNIT(what_is_in_a_queue_is_waiting)
{
	struct setup config = config_of(10);
	struct cargo added = { 1, 1, 60 };
	struct collector_stats stats;
	struct bench b;

	open_bench(&b, &config);
	add_udp(b.e, NOON);
	exporter_stats(b.e, 0, &stats);
	check_sum(&stats, &added);
	exporter_flush(b.e);
	exporter_stats(b.e, 0, &stats);
	check_sum(&stats, &added);
	ck_assert(exporter_pending(b.e) == (stats.waiting.records != 0));
	let_go(b.e);
	exporter_stats(b.e, 0, &stats);
	check_sum(&stats, &added);
	ck_assert_uint_eq(stats.waiting.records, 0);
	ck_assert(!exporter_pending(b.e));
	close_bench(&b);
}
END_TEST

/* Pace --------------------------------------------------------------------- */

/* Export one datagram after the other while the pace allows it. */
static unsigned
burst(struct bench *b, uint64_t mono_ns)
{
	unsigned n = 0;

	for (; n < 1000 && exporter_ready(b->e, mono_ns); n++) {
		add_udp(b->e, NOON);
		exporter_flush(b->e);
	}
	ck_assert_uint_eq(collect(&b->at), n);
	return n;
}

UNIT(a_burst_exhausts_the_pace_and_time_restores_it)
{
	struct setup config = config_of(10);
	struct bench b;

	config.x.rate = 100;
	open_bench(&b, &config);
	ck_assert_uint_eq(burst(&b, 1000 * SEC), 32);
	ck_assert(!exporter_ready(b.e, 1000 * SEC + 9 * MS));
	ck_assert_uint_eq(burst(&b, 1000 * SEC + 11 * MS), 1);
	ck_assert_uint_eq(burst(&b, 1000 * SEC + 111 * MS), 10);
	ck_assert_uint_eq(burst(&b, 5000 * SEC), 32); /* no more saved up */
	close_bench(&b);
}
END_TEST

UNIT(the_pace_holds_on_average)
{
	struct setup config = config_of(5);
	struct bench b;
	unsigned n = 0;

	config.x.rate = 200;
	open_bench(&b, &config);
	for (uint64_t ms = 0; ms < 5000; ms += 3)
		n += burst(&b, 1000 * SEC + ms * MS);
	ck_assert_uint_ge(n, 32 + 999 - 2);
	ck_assert_uint_le(n, 32 + 1000);
	close_bench(&b);
}
END_TEST

UNIT(without_a_rate_there_is_no_pace)
{
	struct setup config = config_of(10);
	struct bench b;

	open_bench(&b, &config);
	for (int i = 0; i < 10; i++)
		for (int j = 0; j < 100; j++) {
			ck_assert(exporter_ready(b.e, SEC));
			add_udp(b.e, NOON);
			exporter_flush(b.e);
			collect(&b.at);
		}
	close_bench(&b);
}
END_TEST

UNIT(freeing_no_exporter_is_fine)
{
	exporter_free(NULL);
}
END_TEST

/* The Template IDs of Flow Records in what arrived; the lowest of each set. */
static unsigned
next_template_id(struct bench *b)
{
	unsigned lowest = UINT16_MAX;

	let_go(b->e);
	for (ssize_t len; (len = sink_next(&b->at.sink)) > 0;) {
		struct rbuf r = rb_init(b->at.sink.data, (size_t)len);

		rb_take(&r, 16);
		if (rb_u16(&r) != 2) /* a Template Set */
			continue;
		rb_take(&r, 2);
		lowest = rb_u16(&r);
	}
	return lowest;
}

/* RFC 7011 s8: over UDP an ID must not be used for another Template soon. */
UNIT(rfc7011_8_changed_fields_have_other_template_ids)
{
	struct setup config = config_of(10);
	unsigned last = 0;
	struct bench b;

	config.x.replay = false;
	open_bench(&b, &config);
	exporter_clock(b.e, NOON);
	for (unsigned i = 0; i < 5000; i++) {
		unsigned id;

		ck_assert_int_eq(change_fields(&b, i % 2 == 0), 0);
		exporter_tick(b.e, NOON + i);
		id = next_template_id(&b);
		ck_assert_uint_ge(id, 256);
		ck_assert_uint_le(id, UINT16_MAX - TEMPLATES_MAX + 1);
		ck_assert(
		    id + TEMPLATES_MAX <= 512 || id >= 512 + OPTION_KINDS);
		ck_assert_uint_ne(id, last);
		last = id;
	}
	close_bench(&b);
}
END_TEST

UNIT(without_a_change_of_fields_no_template_is_sent_again)
{
	struct setup config = config_of(10);
	struct bench b;

	config.x.replay = false;
	open_bench(&b, &config);
	exporter_clock(b.e, NOON);
	exporter_tick(b.e, NOON);
	ck_assert_uint_eq(next_template_id(&b), 256);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(change_fields(&b, false), 0);
		exporter_tick(b.e, NOON);
		ck_assert_uint_eq(next_template_id(&b),
		    i == 0 ? 256 + TEMPLATES_MAX : UINT16_MAX);
	}
	close_bench(&b);
}
END_TEST

UNIT_MAIN("exporter", a_version_without_a_format_is_refused,
    the_format_is_named_and_a_numeric_collector_is_settled,
    each_half_that_saw_packets_becomes_one_data_record,
    rfc3954_7_templates_stand_before_the_first_data,
    flushing_without_records_sends_nothing,
    rfc7011_10_3_2_templates_are_sent_again_after_the_refresh_time,
    rfc3954_9_templates_are_sent_again_after_so_many_messages,
    templates_are_sent_after_8_messages_then_16_up_to_the_refresh_count,
    templates_are_sent_at_once_when_asked_for_and_counted,
    netflow5_has_no_templates_to_send,
    rfc7011_8_changed_fields_have_other_template_ids,
    without_a_change_of_fields_no_template_is_sent_again,
    rfc7011_3_1_sequence_counts_data_records_sent_before,
    each_collector_has_a_sequence_and_templates_of_its_own,
    no_datagram_is_larger_than_the_mtu_from_256_to_1400,
    templates_take_as_many_messages_as_they_need,
    replay_a_message_leaves_after_half_a_second_of_record_time,
    replay_a_message_is_dated_half_a_second_after_its_first_record,
    live_a_message_leaves_by_tick_after_half_a_second,
    live_a_clock_set_back_an_hour_holds_no_message_up,
    live_templates_are_sent_and_refreshed_without_any_flow,
    live_a_collector_that_refused_gets_templates_with_its_first_message,
    rfc7011_8_export_time_never_runs_backwards_in_ipfix,
    two_replays_give_the_same_datagrams,
    relative_times_are_exact_over_years_of_flows,
    relative_times_are_exact_when_flows_are_49_days_apart,
    relative_times_are_exact_when_flows_jump_back_some_days,
    relative_times_are_exact_when_flows_jump_back_years,
    relative_times_are_exact_for_flows_of_1970,
    relative_times_are_exact_for_flows_of_2106,
    rfc3954_5_1_uptime_of_templates_without_data_does_not_wrap,
    a_clock_ahead_of_the_flows_by_months_does_not_wrap_uptime,
    netflow1_and_5_count_ipv6_flows_as_unfit_and_send_none,
    a_collector_that_refuses_or_is_unknown_costs_another_nothing,
    balance_gives_each_record_to_one_collector_and_accounts_for_all,
    failover_sends_to_the_second_while_the_first_refuses_and_then_back,
    a_collector_that_goes_on_refusing_is_never_taken_for_back,
    no_record_is_lost_between_templates_and_the_mtu,
    no_record_is_lost_when_templates_stand_before_each_message,
    what_is_in_a_queue_is_waiting,
    a_burst_exhausts_the_pace_and_time_restores_it, the_pace_holds_on_average,
    without_a_rate_there_is_no_pace, freeing_no_exporter_is_fine)

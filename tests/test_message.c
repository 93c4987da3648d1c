/* SPDX-License-Identifier: ISC */
/*
 * test_message.c - a message is what its RFC says: header, Sets, padding,
 * counts and times; and what does not fit leaves it as it was.
 */
#include <stdbool.h>

#include "tests/export.h"

#define ENTRIES(table) (sizeof(table) / sizeof((table)[0]))

static const struct dialect *const with_sets[] = { &dialect_netflow9,
	&dialect_ipfix };
static const struct dialect *const with_uptime[] = { &dialect_netflow1,
	&dialect_netflow5, &dialect_netflow9 };

/* A message and the templates of its dialect. */
struct bench {
	struct message m;
	struct template t[TEMPLATES];
};

static void
begin(struct bench *b, const struct dialect *d, size_t size)
{
	message_begin(&b->m, d, size);
	b->m.boot_ns = NOON - 60 * NS_PER_S;
	b->m.time_ns = NOON + 5 * NS_PER_S + 678 * NS_PER_MS;
	b->m.sequence = UINT32_C(0x01020304);
	b->m.domain = UINT32_C(0x0a0b0c0d);
	b->m.sampling = (struct sampling){ .interval = 1 };
	if (d->has_sets)
		template_all(b->t, d->bit, &plain_choice);
	else
		template_fixed(&b->t[0], d->bit);
}

static int
add(struct bench *b, const struct flow_record *r)
{
	unsigned flavour = b->m.dialect->has_sets ? template_flavour(r) : 0;

	return message_record(&b->m, &b->t[flavour], r);
}

static void
add_template(struct bench *b, unsigned flavour)
{
	ck_assert_int_eq(message_template(&b->m, &b->t[flavour]), 0);
}

/* The templates of the bench, as a collector would know them. */
static struct known
known_to(const struct bench *b)
{
	struct known known = { 0 };

	for (unsigned i = 0; i < TEMPLATES && b->m.dialect->has_sets; i++)
		known.shape[i] = shape_of(&b->t[i]);
	return known;
}

static struct seen
finish(struct bench *b, struct known *known)
{
	message_end(&b->m);
	*known = known_to(b);
	ck_assert(!b->m.w.full);
	return see(b->m.w.base, wb_len(&b->m.w), known);
}

/* Dialects and headers ----------------------------------------------------- */

UNIT(export_versions_1_5_9_and_10_have_a_dialect_and_no_other)
{
	ck_assert_ptr_eq(dialect_for(1), &dialect_netflow1);
	ck_assert_ptr_eq(dialect_for(5), &dialect_netflow5);
	ck_assert_ptr_eq(dialect_for(9), &dialect_netflow9);
	ck_assert_ptr_eq(dialect_for(10), &dialect_ipfix);
	for (unsigned v = 0; v < 70000; v++)
		if (v != 1 && v != 5 && v != 9 && v != 10)
			ck_assert_ptr_null(dialect_for(v));
}
END_TEST

UNIT(netflow5_header_field_by_field)
{
	/* clang-format off */
	static const uint8_t want[24] = {
		0, 5,  0, 2,                    /* version, count */
		0x00, 0x01, 0x00, 0x8e,         /* sysUptime: 65678 ms */
		0x65, 0xe1, 0xc3, 0x45,         /* 1709294405 s */
		0x28, 0x69, 0x75, 0x80,         /* 678000000 ns */
		0x01, 0x02, 0x03, 0x04,         /* flow_sequence */
		0x0c, 0x0d,                     /* engine type and id */
		0, 0,                           /* no sampling */
	};
	/* clang-format on */
	struct bench b;
	struct flow_record r = tcp_record();

	begin(&b, &dialect_netflow5, 1400);
	ck_assert_int_eq(add(&b, &r), 0);
	ck_assert_int_eq(add(&b, &r), 0);
	message_end(&b.m);
	ck_assert_uint_eq(wb_len(&b.m.w), 24 + 2 * 48);
	ck_assert_mem_eq(b.m.w.base, want, sizeof(want));
}
END_TEST

UNIT(rfc3954_5_1_header_field_by_field)
{
	/* clang-format off */
	static const uint8_t want[20] = {
		0, 9,  0, 3,                    /* version, count */
		0x00, 0x00, 0xfd, 0xe8,         /* sysUptime: 65000 ms */
		0x65, 0xe1, 0xc3, 0x45,         /* 1709294405 s */
		0x01, 0x02, 0x03, 0x04,         /* sequence */
		0x0a, 0x0b, 0x0c, 0x0d,         /* source id */
	};
	/* clang-format on */
	struct bench b;
	struct flow_record r = tcp_record();

	begin(&b, &dialect_netflow9, 1400);
	add_template(&b, 0);
	add_template(&b, 1);
	ck_assert_int_eq(add(&b, &r), 0);
	message_end(&b.m);
	ck_assert_mem_eq(b.m.w.base, want, sizeof(want));
}
END_TEST

UNIT(rfc7011_3_1_header_field_by_field)
{
	/* 16 + one Set of one Data Record of 58 octets, padded */
	static const uint8_t want[16] = { 0, 10, 0, 80, 0x65, 0xe1, 0xc3, 0x45,
		0x01, 0x02, 0x03, 0x04, 0x0a, 0x0b, 0x0c, 0x0d };
	struct bench b;
	struct flow_record r = tcp_record();

	begin(&b, &dialect_ipfix, 1400);
	ck_assert_uint_eq(b.t[0].record_len, 58);
	ck_assert_int_eq(add(&b, &r), 0);
	message_end(&b.m);
	ck_assert_uint_eq(wb_len(&b.m.w), 80);
	ck_assert_mem_eq(b.m.w.base, want, sizeof(want));
}
END_TEST

UNIT(rfc3954_5_1_count_is_templates_and_records_together)
{
	struct bench b;
	struct known known;
	struct seen s;

	begin(&b, &dialect_netflow9, 1400);
	for (unsigned i = 0; i < TEMPLATES; i++)
		add_template(&b, i);
	for (unsigned i = 0; i < TEMPLATES; i++) {
		struct flow_record r = flavoured_record(i);

		ck_assert_int_eq(add(&b, &r), 0);
	}
	s = finish(&b, &known);
	ck_assert_uint_eq(s.templates, TEMPLATES);
	ck_assert_uint_eq(s.records, TEMPLATES);
	ck_assert_uint_eq(s.count, s.templates + s.records);
}
END_TEST

static void
check_advance(const struct dialect *d, uint32_t want)
{
	struct bench b;
	struct flow_record r = tcp_record();

	begin(&b, d, 1400);
	if (d->has_sets)
		add_template(&b, 0);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(add(&b, &r), 0);
	message_end(&b.m);
	ck_assert_uint_eq(d->advance(&b.m), want);
}

UNIT(netflow1_has_no_sequence_number)
{
	check_advance(&dialect_netflow1, 0);
}
END_TEST

UNIT(netflow5_sequence_counts_records)
{
	check_advance(&dialect_netflow5, 3);
}
END_TEST

UNIT(rfc3954_5_1_sequence_counts_export_packets)
{
	check_advance(&dialect_netflow9, 1);
}
END_TEST

UNIT(rfc7011_3_1_sequence_counts_data_records_and_no_template_records)
{
	check_advance(&dialect_ipfix, 3);
}
END_TEST

/* Sets --------------------------------------------------------------------- */

UNIT(a_message_begins_empty_and_is_not_with_a_template_or_a_record)
{
	struct bench b;
	struct flow_record r = tcp_record();

	for (size_t i = 0; i < ENTRIES(with_sets); i++) {
		begin(&b, with_sets[i], 1400);
		ck_assert(message_empty(&b.m));
		add_template(&b, 0);
		ck_assert(!message_empty(&b.m));
		begin(&b, with_sets[i], 1400);
		ck_assert(message_empty(&b.m));
		ck_assert_int_eq(add(&b, &r), 0);
		ck_assert(!message_empty(&b.m));
	}
}
END_TEST

UNIT(rfc7011_3_3_1_every_set_is_padded_with_zeroes_to_4_octets)
{
	struct bench b;
	struct known known;

	for (size_t d = 0; d < ENTRIES(with_sets); d++)
		for (unsigned n = 1; n <= 4; n++) {
			struct flow_record r = tcp_record();
			struct seen s;

			begin(&b, with_sets[d], 1400);
			memset(b.m.buf, 0xff, sizeof(b.m.buf));
			for (unsigned i = 0; i < n; i++)
				ck_assert_int_eq(add(&b, &r), 0);
			s = finish(&b, &known); /* checks the padding */
			ck_assert_uint_eq(s.len % 4, 0);
			ck_assert_uint_eq(s.records, n);
		}
}
END_TEST

UNIT(rfc7011_3_3_a_set_is_closed_when_another_opens_and_only_then)
{
	static const unsigned order[] = { 0, 0, 3, 3, 3, 0, 7, 7 };
	struct bench b;
	struct known known;

	for (size_t d = 0; d < ENTRIES(with_sets); d++) {
		struct seen s;

		begin(&b, with_sets[d], 1400);
		add_template(&b, 0);
		add_template(&b, 3);
		for (size_t i = 0; i < ENTRIES(order); i++) {
			struct flow_record r = flavoured_record(order[i]);

			ck_assert_int_eq(add(&b, &r), 0);
		}
		s = finish(&b, &known);
		ck_assert_uint_eq(s.templates, 2);
		ck_assert_uint_eq(s.records, ENTRIES(order));
		ck_assert_uint_eq(s.sets, 5);
		for (size_t i = 0; i < ENTRIES(order); i++)
			ck_assert_uint_eq(s.set_id[i], 256 + order[i]);
	}
}
END_TEST

UNIT(a_template_set_may_follow_data_in_the_same_message)
{
	struct bench b;
	struct known known;
	struct flow_record r = tcp_record();

	for (size_t d = 0; d < ENTRIES(with_sets); d++) {
		struct seen s;

		begin(&b, with_sets[d], 1400);
		ck_assert_int_eq(add(&b, &r), 0);
		add_template(&b, 1);
		ck_assert_int_eq(add(&b, &r), 0);
		s = finish(&b, &known);
		ck_assert_uint_eq(s.sets, 3);
		ck_assert_uint_eq(s.templates, 1);
		ck_assert_uint_eq(s.records, 2);
	}
}
END_TEST

/* Limits ------------------------------------------------------------------- */

/* Fill with records of all flavours until one does not fit. */
static void
fill(struct bench *b, unsigned seed)
{
	for (;; seed++) {
		struct flow_record r =
		    b->m.dialect->has_sets
			? flavoured_record(seed * 5 % TEMPLATES)
			: tcp_record();
		struct message before = b->m;

		if (add(b, &r) == 0)
			continue;
		ck_assert_mem_eq(&b->m, &before, sizeof(before));
		return;
	}
}

UNIT(a_record_that_does_not_fit_leaves_the_message_unchanged)
{
	static const size_t sizes[] = { 256, 257, 300, 511, 1400, 1472, 9000 };
	static struct bench b;
	struct known known;

	for (size_t d = 0; d < ENTRIES(with_sets); d++)
		for (size_t i = 0; i < ENTRIES(sizes); i++)
			for (unsigned seed = 0; seed < TEMPLATES; seed++) {
				struct seen s;

				begin(&b, with_sets[d], sizes[i]);
				fill(&b, seed);
				s = finish(&b, &known);
				ck_assert_uint_le(s.len, sizes[i]);
				ck_assert_uint_eq(s.records, b.m.records);
				ck_assert_uint_gt(s.records, 0);
			}
}
END_TEST

UNIT(a_template_that_does_not_fit_leaves_the_message_unchanged)
{
	static struct bench b;
	struct known known;
	struct flow_record r = tcp_record();

	for (size_t d = 0; d < ENTRIES(with_sets); d++)
		for (size_t size = 256; size < 420; size++) {
			struct message before;

			begin(&b, with_sets[d], size);
			ck_assert_int_eq(add(&b, &r), 0);
			do
				before = b.m;
			while (message_template(&b.m, &b.t[7]) == 0);
			ck_assert_mem_eq(&b.m, &before, sizeof(before));
			ck_assert_uint_le(finish(&b, &known).len, size);
		}
}
END_TEST

UNIT(any_one_record_and_any_one_template_fit_the_smallest_message)
{
	struct bench b;

	for (size_t d = 0; d < ENTRIES(with_sets); d++)
		for (unsigned i = 0; i < TEMPLATES; i++) {
			struct flow_record r = flavoured_record(i);

			begin(&b, with_sets[d], MESSAGE_MIN);
			template_all(b.t, with_sets[d]->bit, &mac_choice);
			ck_assert_int_eq(add(&b, &r), 0);
			begin(&b, with_sets[d], MESSAGE_MIN);
			template_all(b.t, with_sets[d]->bit, &mac_choice);
			add_template(&b, i);
		}
}
END_TEST

static void
check_most(const struct dialect *d, unsigned most, unsigned in_256)
{
	static struct bench b;
	static struct message before;
	struct flow_record r = tcp_record();
	struct known known;

	begin(&b, d, MESSAGE_MAX);
	for (unsigned i = 0; i < most; i++)
		ck_assert_int_eq(add(&b, &r), 0);
	before = b.m;
	ck_assert_int_eq(add(&b, &r), -1);
	ck_assert_mem_eq(&b.m, &before, sizeof(before));
	ck_assert_uint_eq(finish(&b, &known).count, most);
	begin(&b, d, 256); /* or as many as fit */
	fill(&b, 0);
	ck_assert_uint_eq(finish(&b, &known).count, in_256);
}

UNIT(netflow1_has_at_most_24_records_however_large_the_message)
{
	check_most(&dialect_netflow1, 24, 5);
}
END_TEST

UNIT(netflow5_has_at_most_30_records_however_large_the_message)
{
	check_most(&dialect_netflow5, 30, 4);
}
END_TEST

UNIT(a_message_is_never_larger_than_9000_octets)
{
	static struct bench b;
	struct flow_record r = tcp_record();

	begin(&b, &dialect_ipfix, 65536);
	while (add(&b, &r) == 0)
		;
	message_end(&b.m);
	ck_assert_uint_le(wb_len(&b.m.w), MESSAGE_MAX);
}
END_TEST

UNIT(packets_and_octets_of_the_records_are_added_up)
{
	struct bench b;
	struct flow_record r = tcp_record(), reverse;

	record_reverse(&r, &reverse);
	begin(&b, &dialect_ipfix, 1400);
	ck_assert_int_eq(add(&b, &r), 0);
	ck_assert_int_eq(add(&b, &reverse), 0);
	ck_assert_uint_eq(b.m.packets, 18);
	ck_assert_uint_eq(b.m.octets, 45000);
	ck_assert_uint_eq(b.m.latest_ns, NOON + UINT64_C(1999999999));
}
END_TEST

/* Time --------------------------------------------------------------------- */

/* A collector must find the times of a flow of one packet, to the ms. */
static void
check_times(const struct dialect *d, uint64_t start_ns, uint64_t end_ns,
    uint64_t time_ns)
{
	struct bench b;
	struct known known;
	struct flow_record r = udp_record(start_ns);
	struct seen s;
	struct told told;

	r.fwd.end_ns = end_ns;
	begin(&b, d, 1400);
	b.m.time_ns = time_ns;
	ck_assert_int_eq(add(&b, &r), 0);
	s = finish(&b, &known);
	told = told_times(&s, &known, 0);
	ck_assert_uint_eq(told.first_ms, start_ns / NS_PER_MS);
	ck_assert_uint_eq(told.last_ms, end_ns / NS_PER_MS);
}

UNIT(collectors_find_start_and_end_to_the_millisecond)
{
	uint64_t start = NOON - 30 * NS_PER_S + UINT64_C(123999999);

	for (size_t d = 0; d < ENTRIES(with_uptime); d++)
		for (uint64_t ms = 0; ms < 3000; ms += 37)
			check_times(with_uptime[d], start + ms * NS_PER_MS,
			    NOON + ms * NS_PER_MS / 2,
			    NOON + 4 * NS_PER_S + ms);
}
END_TEST

UNIT(a_flow_that_ended_within_the_current_second_is_told_exactly)
{
	for (size_t d = 0; d < ENTRIES(with_uptime); d++)
		for (uint64_t ms = 0; ms < 1000; ms++) {
			uint64_t now = NOON + ms * NS_PER_MS + 999999;

			check_times(with_uptime[d], now, now, now);
			check_times(with_uptime[d], NOON, now, now);
		}
}
END_TEST

UNIT(a_flow_that_ended_after_the_message_was_due_is_told_exactly)
{
	uint64_t end = NOON + 2500 * NS_PER_MS;

	for (size_t d = 0; d < ENTRIES(with_uptime); d++)
		check_times(with_uptime[d], NOON, end, NOON + 1);
}
END_TEST

UNIT(rfc3954_5_1_uptime_and_unix_seconds_are_of_the_same_instant)
{
	struct bench b;
	struct known known;
	struct seen s;

	for (uint64_t ms = 0; ms < 2000; ms += 7) {
		struct flow_record r = udp_record(NOON);

		begin(&b, &dialect_netflow9, 1400);
		b.m.time_ns = NOON + ms * NS_PER_MS;
		ck_assert_int_eq(add(&b, &r), 0);
		s = finish(&b, &known);
		ck_assert_uint_eq(s.unix_s * UINT64_C(1000) - s.uptime_ms,
		    b.m.boot_ns / NS_PER_MS);
	}
}
END_TEST

UNIT(netflow5_nanoseconds_are_of_the_same_instant_as_uptime)
{
	struct bench b;
	struct known known;
	struct seen s;

	for (uint64_t us = 0; us < 2000000; us += 7001) {
		struct flow_record r = udp_record(NOON);

		begin(&b, &dialect_netflow5, 1400);
		b.m.time_ns = NOON + us * 1000;
		ck_assert_int_eq(add(&b, &r), 0);
		s = finish(&b, &known);
		ck_assert_uint_lt(s.unix_ns, 1000000000);
		ck_assert_uint_eq(s.unix_s * UINT64_C(1000) +
				      s.unix_ns / 1000000 - s.uptime_ms,
		    b.m.boot_ns / NS_PER_MS);
		ck_assert_uint_eq(s.unix_s * NS_PER_S + s.unix_ns,
		    NOON + us / 1000 * 1000000);
	}
}
END_TEST

UNIT(rfc7011_3_1_export_time_is_seconds_since_1970)
{
	struct bench b;
	struct known known;
	struct flow_record r = udp_record(NOON);

	begin(&b, &dialect_ipfix, 1400);
	b.m.time_ns = UINT32_MAX * NS_PER_S + 999999999; /* the last: 2106 */
	ck_assert_int_eq(add(&b, &r), 0);
	ck_assert_uint_eq(finish(&b, &known).unix_s, UINT32_MAX);
}
END_TEST

UNIT(relative_times_span_49_days_from_the_boot_on_and_absolute_ones_all)
{
	struct message m = { .dialect = &dialect_netflow9, .boot_ns = NOON };
	struct flow_record r = udp_record(NOON);

	ck_assert(message_spans(&m, &r));
	r.fwd.end_ns = NOON + (UINT32_MAX - 1) * NS_PER_MS;
	ck_assert(message_spans(&m, &r));
	r.fwd.end_ns += NS_PER_MS;
	ck_assert(!message_spans(&m, &r));
	r = udp_record(NOON - 1);
	ck_assert(!message_spans(&m, &r));
	m.dialect = &dialect_netflow5;
	ck_assert(!message_spans(&m, &r));
	m.dialect = &dialect_ipfix;
	ck_assert(message_spans(&m, &r));
}
END_TEST

UNIT(each_options_template_has_a_set_of_its_own)
{
	static const enum option_kind kind[] = { OPTION_SAMPLING,
		OPTION_INTERFACE };

	for (unsigned i = 0; i < ENTRIES(with_sets); i++) {
		struct bench b;
		struct rbuf r;
		unsigned sets = 0;

		begin(&b, with_sets[i], 1400);
		for (unsigned k = 0; k < ENTRIES(kind); k++) {
			struct template t;

			ck_assert(
			    template_option(&t, kind[k], b.m.dialect->bit));
			ck_assert_int_eq(message_template(&b.m, &t), 0);
		}
		message_end(&b.m);
		r = rb_init(b.m.w.base, wb_len(&b.m.w));
		rb_take(&r, b.m.dialect->header_len);
		for (; rb_left(&r) != 0 && !r.bad; sets++) {
			ck_assert_uint_eq(rb_u16(&r), b.m.dialect->options_set);
			rb_take(&r, rb_u16(&r) - 4U);
		}
		ck_assert(!r.bad);
		ck_assert_uint_eq(sets, ENTRIES(kind));
	}
}
END_TEST

UNIT_MAIN("message", export_versions_1_5_9_and_10_have_a_dialect_and_no_other,
    netflow5_header_field_by_field, rfc3954_5_1_header_field_by_field,
    rfc7011_3_1_header_field_by_field,
    rfc3954_5_1_count_is_templates_and_records_together,
    netflow1_has_no_sequence_number, netflow5_sequence_counts_records,
    rfc3954_5_1_sequence_counts_export_packets,
    rfc7011_3_1_sequence_counts_data_records_and_no_template_records,
    a_message_begins_empty_and_is_not_with_a_template_or_a_record,
    rfc7011_3_3_1_every_set_is_padded_with_zeroes_to_4_octets,
    rfc7011_3_3_a_set_is_closed_when_another_opens_and_only_then,
    each_options_template_has_a_set_of_its_own,
    a_template_set_may_follow_data_in_the_same_message,
    a_record_that_does_not_fit_leaves_the_message_unchanged,
    a_template_that_does_not_fit_leaves_the_message_unchanged,
    any_one_record_and_any_one_template_fit_the_smallest_message,
    netflow1_has_at_most_24_records_however_large_the_message,
    netflow5_has_at_most_30_records_however_large_the_message,
    a_message_is_never_larger_than_9000_octets,
    packets_and_octets_of_the_records_are_added_up,
    collectors_find_start_and_end_to_the_millisecond,
    a_flow_that_ended_within_the_current_second_is_told_exactly,
    a_flow_that_ended_after_the_message_was_due_is_told_exactly,
    rfc3954_5_1_uptime_and_unix_seconds_are_of_the_same_instant,
    netflow5_nanoseconds_are_of_the_same_instant_as_uptime,
    rfc7011_3_1_export_time_is_seconds_since_1970,
    relative_times_span_49_days_from_the_boot_on_and_absolute_ones_all)

/* SPDX-License-Identifier: ISC */
/*
 * test_largest.c - the largest of many flows: which are kept, in how much
 * memory, and what is written of them.
 */
#include <inttypes.h>
#include <stdint.h>
#include <string.h>

#include "largest.h"
#include "record.h"
#include "unit.h"

/* A conversation with so many octets, and ten times fewer packets. */
static struct flow_record
flow(uint32_t n, uint64_t octets)
{
	struct flow_record r = { .ip_version = 4,
		.protocol = 17,
		.src_port = 1000,
		.dst_port = 53,
		.src = { 10, (uint8_t)(n >> 16), (uint8_t)(n >> 8),
		    (uint8_t)n },
		.dst = { 192, 0, 2, 1 },
		.ended_ns = 5000 + n };

	r.fwd.octets = octets - octets / 4;
	r.rev.octets = octets / 4;
	r.fwd.packets = octets / 10;
	r.fwd.start_ns = 2000;
	return r;
}

/* What is written, to be freed. */
static char *
written(const struct largest *l)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	ck_assert_ptr_nonnull(out);
	largest_write(l, out);
	ck_assert_int_eq(fclose(out), 0);
	return text;
}

UNIT(all_are_kept_where_there_is_room)
{
	struct largest *l = largest_new(10, false);
	struct flow_record r = flow(1, 1000);
	char *text;

	ck_assert_ptr_nonnull(l);
	largest_add(l, &r);
	text = written(l);
	ck_assert_str_eq(text,
	    "1 1000 100 1 0 5001\n"
	    "udp 10.0.0.1 1000 192.0.2.1 53 750 100 250 0 2000\n");
	free(text);
	largest_free(l);
	largest_free(NULL);
}
END_TEST

UNIT(nothing_is_a_line_of_zeroes)
{
	struct largest *l = largest_new(1, true);
	char *text = written(l);

	ck_assert_str_eq(text, "0 0 0 0 0 0\n");
	free(text);
	largest_free(l);
}
END_TEST

/* Whatever the order they come in: multiples of 7 modulo a prime. */
UNIT(of_many_the_largest_are_kept_in_whatever_order_they_come)
{
	enum { FLOWS = 9973, KEPT = 100 };
	struct largest *l = largest_new(KEPT, false);
	uint64_t sum = 0;
	char *text;
	size_t lines = 0;

	for (uint32_t i = 1; i < FLOWS; i++) {
		uint32_t n = (uint32_t)((uint64_t)i * 7 % FLOWS);
		struct flow_record r = flow(n, 100 + n);

		sum += 100 + n;
		largest_add(l, &r);
	}
	text = written(l);
	for (uint32_t n = FLOWS - KEPT; n < FLOWS; n++) {
		char line[64];

		snprintf(line, sizeof(line), "\nudp 10.0.%u.%u 1000 ", n >> 8,
		    n & 255);
		ck_assert_msg(strstr(text, line) != NULL, "no %s", line);
	}
	for (const char *s = text; (s = strchr(s, '\n')) != NULL; s++)
		lines++;
	ck_assert_uint_eq(lines, KEPT + 1);
	ck_assert_uint_eq(strtoull(text, NULL, 10), FLOWS - 1);
	ck_assert_uint_eq(strtoull(strchr(text, ' '), NULL, 10), sum);
	ck_assert_ptr_nonnull(strstr(text, " 100 9973 ")); /* kept, least */
	free(text);
	largest_free(l);
}
END_TEST

UNIT(packets_are_another_measure)
{
	struct largest *l = largest_new(1, true);
	struct flow_record many = flow(1, 100), large = flow(2, 100000);
	char *text;

	many.fwd.packets = 99999999;
	largest_add(l, &many);
	largest_add(l, &large);
	text = written(l);
	ck_assert_ptr_nonnull(strstr(text, "udp 10.0.0.1 "));
	ck_assert_ptr_null(strstr(text, "udp 10.0.0.2 "));
	free(text);
	largest_free(l);
}
END_TEST

UNIT(a_record_begins_with_whichever_half_began)
{
	struct largest *l = largest_new(3, false);
	struct flow_record r = flow(1, 1000);
	char *text;

	r.rev.packets = 1;
	r.rev.start_ns = 1500;
	largest_add(l, &r);
	r.fwd.packets = 0;
	r.fwd.start_ns = 0;
	r.rev.start_ns = 1600;
	largest_add(l, &r);
	text = written(l);
	ck_assert_ptr_nonnull(strstr(text, " 1500\n"));
	ck_assert_ptr_nonnull(strstr(text, " 1600\n"));
	free(text);
	largest_free(l);
}
END_TEST

UNIT(icmp_has_no_ports_and_ipv6_has_colons)
{
	struct largest *l = largest_new(3, false);
	struct flow_record r = flow(1, 1000);
	char *text;

	r.protocol = 58;
	r.ip_version = 6;
	r.src[0] = r.dst[0] = 0x20;
	r.dst_port = r.icmp = 0x8000;
	largest_add(l, &r);
	text = written(l);
	ck_assert_ptr_nonnull(strstr(text, "icmp6 2000:1"));
	ck_assert_ptr_nonnull(strstr(text, " 0 750 100 250 0 2000\n"));
	free(text);
	largest_free(l);
}
END_TEST

UNIT_MAIN("largest", all_are_kept_where_there_is_room,
    nothing_is_a_line_of_zeroes,
    of_many_the_largest_are_kept_in_whatever_order_they_come,
    packets_are_another_measure, a_record_begins_with_whichever_half_began,
    icmp_has_no_ports_and_ipv6_has_colons)

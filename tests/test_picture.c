/* SPDX-License-Identifier: ISC */
/*
 * test_picture.c - what happened between two pictures: by flow, host and port;
 * and text that is no picture.
 */
#include <stdint.h>
#include <string.h>

#include "picture.h"
#include "unit.h"

static struct picture_row *row;
static size_t rows;

static struct picture *
parse(const char *text)
{
	char *copy = strdup(text);
	struct picture *p;

	ck_assert_ptr_nonnull(copy);
	p = picture_parse(copy);
	free(copy);
	return p;
}

/* The rows between two texts, until the next ones; before may be NULL. */
static void
between(const char *before, const char *now, enum picture_kind kind,
    bool by_packets)
{
	struct picture *was = before == NULL ? NULL : parse(before);
	struct picture *is = parse(now);

	free(row);
	ck_assert(before == NULL || was != NULL);
	ck_assert_ptr_nonnull(is);
	rows = picture_rows(is, was, kind, by_packets, &row);
	picture_free(was);
	picture_free(is);
}

static void
check_row(size_t i, const char *name, const char *other, uint64_t sent,
    uint64_t received, uint64_t packets)
{
	ck_assert_uint_lt(i, rows);
	ck_assert_str_eq(row[i].name[0], name);
	ck_assert_str_eq(row[i].name[1], other);
	ck_assert_uint_eq(row[i].sent, sent);
	ck_assert_uint_eq(row[i].received, received);
	ck_assert_uint_eq(row[i].packets, packets);
}

#define A "tcp 10.0.0.1 1000 192.0.2.1 443 "
#define B "tcp 10.0.0.2 1000 192.0.2.1 443 "
#define C "udp 2001:db8::1 5 2001:db8::2 53 "

UNIT(a_flow_has_what_came_since_the_picture_before)
{
	between("2 0 0 2 0 50\n" A "100 10 50 5 1\n" B "100 10 0 0 1\n",
	    "3 0 0 3 0 90\n" A "150 12 50 5 1\n" B "900 20 7 1 1\n" C
	    "30 3 0 0 60\n",
	    PICTURE_FLOWS, false);
	ck_assert_uint_eq(rows, 3);
	check_row(0, "10.0.0.2:1000", "192.0.2.1:443", 800, 7, 11);
	check_row(1, "10.0.0.1:1000", "192.0.2.1:443", 50, 0, 2);
	check_row(2, "[2001:db8::1]:5", "[2001:db8::2]:53", 30, 0, 3);
	ck_assert_str_eq(row[0].protocol, "tcp");
	ck_assert_str_eq(row[2].protocol, "udp");
	ck_assert_uint_eq(row[0].octets, 907);
}
END_TEST

UNIT(packets_can_rule_the_order)
{
	const char *before = "2 0 0 2 0 50\n" A "0 0 0 0 1\n" B "0 0 0 0 1\n";
	const char *now = "2 0 0 2 0 90\n" A "9 9 0 0 1\n" B "500 1 0 0 1\n";

	between(before, now, PICTURE_FLOWS, true);
	check_row(0, "10.0.0.1:1000", "192.0.2.1:443", 9, 0, 9);
	between(before, now, PICTURE_FLOWS, false);
	check_row(0, "10.0.0.2:1000", "192.0.2.1:443", 500, 0, 1);
}
END_TEST

UNIT(a_host_has_both_directions_of_all_its_flows)
{
	between("2 0 0 2 0 50\n" A "100 10 50 5 1\n" B "0 0 0 0 1\n",
	    "2 0 0 2 0 90\n" A "150 12 60 6 1\n" B "900 20 7 1 1\n",
	    PICTURE_HOSTS, false);
	ck_assert_uint_eq(rows, 3);
	check_row(0, "192.0.2.1", "", 17, 950, 24);
	check_row(1, "10.0.0.2", "", 900, 7, 21);
	check_row(2, "10.0.0.1", "", 50, 10, 3);
	ck_assert_str_eq(row[0].protocol, "");
}
END_TEST

UNIT(a_host_that_talks_to_itself_has_its_flow_once)
{
	between("0 0 0 0 0 50\n",
	    "1 0 0 1 0 90\ntcp ::1 1 ::1 2 10 1 20 2 60\n", PICTURE_HOSTS,
	    false);
	ck_assert_uint_eq(rows, 1);
	check_row(0, "::1", "", 30, 30, 3);
	ck_assert_uint_eq(row[0].octets, 30);
}
END_TEST

UNIT(a_port_is_that_which_conversations_began_to)
{
	between("1 0 0 1 0 50\n" A "0 0 0 0 1\n",
	    "4 0 0 4 0 90\n" A "1 1 2 1 1\n" B "10 1 20 1 60\n" C
	    "5 1 0 0 60\nicmp 10.0.0.1 0 10.0.0.2 0 3 1 0 0 60\n",
	    PICTURE_PORTS, false);
	ck_assert_uint_eq(rows, 3);
	check_row(0, "443", "", 11, 22, 4);
	check_row(1, "53", "", 5, 0, 1);
	check_row(2, "-", "", 3, 0, 1);
	ck_assert_str_eq(row[2].protocol, "icmp");
}
END_TEST

UNIT(the_first_picture_is_by_what_there_is)
{
	between(NULL, "2 0 0 2 0 90\n" A "5 1 0 0 1\n" B "900 20 7 1 1\n",
	    PICTURE_FLOWS, false);
	check_row(0, "10.0.0.2:1000", "192.0.2.1:443", 0, 0, 0);
	ck_assert_uint_eq(row[0].octets, 907);
}
END_TEST

UNIT(a_record_that_began_anew_counts_whole)
{
	between("1 0 0 1 0 50\n" A "5000 50 0 0 1\n",
	    "1 0 0 1 0 90\n" A "40 4 0 0 60\n", PICTURE_FLOWS, false);
	check_row(0, "10.0.0.1:1000", "192.0.2.1:443", 40, 0, 4);
}
END_TEST

UNIT(of_a_flow_that_was_not_kept_only_what_is_above_the_least_counts)
{
	const char *before = "9 0 0 1 100 50\n" B "100 1 0 0 1\n";

	between(before, "9 0 0 1 100 90\n" A "300 30 100 10 1\n", PICTURE_FLOWS,
	    false);
	check_row(0, "10.0.0.1:1000", "192.0.2.1:443", 225, 75, 29);
	between(
	    before, "9 0 0 1 80 90\n" A "80 30 0 0 1\n", PICTURE_FLOWS, false);
	check_row(0, "10.0.0.1:1000", "192.0.2.1:443", 0, 0, 0);
	/* It began since: all of it is new. */
	between(before, "9 0 0 1 100 90\n" A "300 30 100 10 51\n",
	    PICTURE_FLOWS, false);
	check_row(0, "10.0.0.1:1000", "192.0.2.1:443", 300, 100, 40);
}
END_TEST

UNIT(flows_that_differ_in_what_is_not_shown_are_one)
{
	between("1 0 0 1 0 50\n" C "0 0 0 0 1\n",
	    "2 0 0 2 0 90\n" A "10 1 0 0 60\n" A "20 2 0 0 60\n", PICTURE_FLOWS,
	    false);
	ck_assert_uint_eq(rows, 1);
	check_row(0, "10.0.0.1:1000", "192.0.2.1:443", 30, 0, 3);
}
END_TEST

UNIT(counts_that_ran_back_count_whole)
{
	between("1 0 0 1 0 50\n" A "500 5 0 0 1\n",
	    "1 0 0 1 0 90\n" A "40 4 0 0 1\n", PICTURE_FLOWS, false);
	check_row(0, "10.0.0.1:1000", "192.0.2.1:443", 40, 0, 4);
}
END_TEST

UNIT(what_is_no_picture_is_refused)
{
	static const char *const bad[] = { "", "\n", "ok\n", "1 2 3\n",
		"0 0 0 0 0 0", "0 0 0 0 0 0 0\n", "-1 0 0 0 0 0\n",
		"0 0 0 0 0 0\nmore\n", "0 0 0 1 0 0\n", "1 0 0 1 0 0\n" A,
		"1 0 0 1 0 0\n" A "1 2 3 4\n",
		"1 0 0 1 0 0\n" A "1 2 3 4 5 6\n",
		"1 0 0 1 0 0\n" A "1 2 3 4 5", "1 0 0 1 0 0\nA\n",
		"1 0 0 1 0 0\nt\x1b[2Jp 10.0.0.1 1 10.0.0.2 2 1 1 1 1 1\n",
		"1 0 0 1 0 0\nprotocols 10.0.0.1 1 10.0.0.2 2 1 1 1 1 1\n",
		"1 0 0 1 0 0\ntcp 10.0.0 1 10.0.0.2 2 1 1 1 1 1\n",
		"1 0 0 1 0 0\ntcp 10.0.0.1 1 ::1 2 1 1 1 1 1\n",
		"1 0 0 1 0 0\ntcp 10.0.0.1 65536 10.0.0.2 2 1 1 1 1 1\n",
		"1 0 0 1 0 0\ntcp 10.0.0.1 1 10.0.0.2 2 "
		"18446744073709551615 1 1 1 1\n",
		"1 0 0 99999999 0 0\n" A "1 2 3 4 5\n" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(parse(bad[i]) == NULL, "taken: %s", bad[i]);
}
END_TEST

UNIT(no_flows_are_a_picture_too)
{
	between("0 0 0 0 0 0\n", "0 0 0 0 0 0\n", PICTURE_HOSTS, true);
	ck_assert_uint_eq(rows, 0);
}
END_TEST

UNIT_MAIN("picture", a_flow_has_what_came_since_the_picture_before,
    packets_can_rule_the_order, a_host_has_both_directions_of_all_its_flows,
    a_host_that_talks_to_itself_has_its_flow_once,
    a_port_is_that_which_conversations_began_to,
    the_first_picture_is_by_what_there_is,
    a_record_that_began_anew_counts_whole,
    of_a_flow_that_was_not_kept_only_what_is_above_the_least_counts,
    flows_that_differ_in_what_is_not_shown_are_one,
    counts_that_ran_back_count_whole, what_is_no_picture_is_refused,
    no_flows_are_a_picture_too)

/* SPDX-License-Identifier: ISC */
/*
 * test_share.c - every conversation has one collector, whoever speaks, and the
 * collectors have about the same number of them.
 */
#include "share.h"
#include "tests/export.h"

#define FLOWS 10000U

/* Conversation i of many. */
static struct flow_record
conversation(unsigned i)
{
	struct flow_record r =
	    i % 2 == 0 ? udp_record(NOON) : udp6_record(NOON);

	r.src[3] = (uint8_t)i;
	r.src_port = (uint16_t)(1024 + i / 256);
	return r;
}

UNIT(both_directions_have_the_same_collector)
{
	for (unsigned i = 0; i < FLOWS; i++) {
		struct flow_record r = conversation(i), back;

		record_reverse(&r, &back);
		for (size_t n = 1; n <= 5; n++)
			ck_assert_uint_eq(
			    share_index(&r, n), share_index(&back, n));
	}
}
END_TEST

UNIT(a_reply_of_icmp_has_the_collector_of_its_request)
{
	struct flow_record request = flavoured_record(FLAVOUR_ICMP), reply;

	for (unsigned i = 0; i < 256; i++) {
		request.src[3] = (uint8_t)i;
		record_reverse(&request, &reply);
		reply.icmp = reply.dst_port = 0;
		ck_assert_uint_eq(
		    share_index(&request, 7), share_index(&reply, 7));
	}
}
END_TEST

UNIT(collectors_have_about_the_same_number_of_conversations)
{
	for (size_t n = 1; n <= 16; n++) {
		unsigned count[16] = { 0 };

		for (unsigned i = 0; i < FLOWS; i++) {
			struct flow_record r = conversation(i);
			size_t at = share_index(&r, n);

			ck_assert_uint_lt(at, n);
			count[at]++;
		}
		for (size_t at = 0; at < n; at++) {
			ck_assert_uint_gt(count[at], FLOWS / n * 8 / 10);
			ck_assert_uint_lt(count[at], FLOWS / n * 12 / 10);
		}
	}
}
END_TEST

UNIT(the_choice_is_the_same_on_every_machine)
{
	struct flow_record r = tcp_record();

	ck_assert_uint_eq(share_index(&r, 1000000), 715446);
	r = udp6_record(NOON);
	ck_assert_uint_eq(share_index(&r, 1000000), 409309);
}
END_TEST

UNIT_MAIN("share", both_directions_have_the_same_collector,
    a_reply_of_icmp_has_the_collector_of_its_request,
    collectors_have_about_the_same_number_of_conversations,
    the_choice_is_the_same_on_every_machine)

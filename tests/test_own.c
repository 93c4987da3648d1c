/* SPDX-License-Identifier: ISC */
/* test_own.c - which flows are of this program's own sockets. */
#include <string.h>

#include "own.h"
#include "record.h"
#include "unit.h"

#define KEEP_NS UINT64_C(1000)

static struct own_session
session(uint16_t local_port)
{
	struct own_session s = { .local_port = local_port,
		.remote_port = 4739,
		.protocol = 17,
		.ip_version = 4 };

	memcpy(s.local, "\xc0\x00\x02\x01", 4);
	memcpy(s.remote, "\xc0\x00\x02\x02", 4);
	return s;
}

/* The record of a session; turned: the collector spoke first. */
static struct flow_record
record(uint16_t local_port, bool turned)
{
	const struct own_session s = session(local_port);
	struct flow_record r = { .protocol = 17, .ip_version = 4 };

	memcpy(turned ? r.dst : r.src, s.local, 16);
	memcpy(turned ? r.src : r.dst, s.remote, 16);
	*(turned ? &r.dst_port : &r.src_port) = s.local_port;
	*(turned ? &r.src_port : &r.dst_port) = s.remote_port;
	return r;
}

UNIT(a_session_is_known_in_both_directions_and_nothing_else_is)
{
	const struct own_session s = session(50000);
	struct own *o = own_new(1, KEEP_NS);
	struct flow_record r = record(50000, false), other;
	struct flow_record turned = record(50000, true);

	ck_assert(!own_is(o, &r, 1));
	own_note(o, 0, &s, 1);
	ck_assert(own_is(o, &r, 1));
	ck_assert(own_is(o, &turned, 1));

	other = r;
	other.src_port++;
	ck_assert(!own_is(o, &other, 1));
	other = r;
	other.dst_port++;
	ck_assert(!own_is(o, &other, 1));
	other = r;
	other.dst[3]++;
	ck_assert(!own_is(o, &other, 1));
	other = r;
	other.src[0]++;
	ck_assert(!own_is(o, &other, 1));
	other = r;
	other.protocol = 6;
	ck_assert(!own_is(o, &other, 1));
	other = r;
	other.ip_version = 6;
	ck_assert(!own_is(o, &other, 1));
	own_free(o);
}
END_TEST

UNIT(a_socket_without_a_session_matches_no_record)
{
	struct own *o = own_new(2, KEEP_NS);
	const struct flow_record r = { .ip_version = 0 };

	ck_assert(!own_is(o, &r, 1));
	own_free(o);
}
END_TEST

UNIT(a_session_that_ended_is_remembered_for_a_while)
{
	const struct own_session first = session(50000),
				 second = session(50001);
	const struct flow_record r = record(50000, false);
	const struct flow_record r2 = record(50001, false);
	struct own *o = own_new(1, KEEP_NS);

	own_note(o, 0, &first, 10);
	own_note(o, 0, &second, 20);
	own_note(o, 0, &second, 500); /* no news: it began at 20 */
	ck_assert(own_is(o, &r, 20 + KEEP_NS - 1));
	ck_assert(!own_is(o, &r, 20 + KEEP_NS));
	ck_assert(own_is(o, &r2, 20 + KEEP_NS));
	own_free(o);
}
END_TEST

UNIT(each_socket_has_its_session)
{
	struct own *o = own_new(3, KEEP_NS);

	for (uint16_t i = 0; i < 3; i++) {
		const struct own_session s = session((uint16_t)(50000 + i));

		own_note(o, i, &s, 1);
	}
	for (uint16_t i = 0; i < 3; i++) {
		const struct flow_record r =
		    record((uint16_t)(50000 + i), false);

		ck_assert(own_is(o, &r, 1 + 2 * KEEP_NS));
	}
	own_free(o);
}
END_TEST

UNIT(sessions_that_come_and_go_are_forgotten_oldest_first)
{
	struct own *o = own_new(1, KEEP_NS);
	struct flow_record r;

	for (uint16_t i = 0; i < 300; i++) {
		const struct own_session s = session((uint16_t)(10000 + i));

		own_note(o, 0, &s, 1);
	}
	r = record(10000, false);
	ck_assert(!own_is(o, &r, 2));
	r = record(10298, false);
	ck_assert(own_is(o, &r, 2));
	own_free(o);
}
END_TEST

UNIT(sockets_may_become_more_and_fewer)
{
	struct own *o = own_new(1, KEEP_NS);
	struct flow_record first = record(1, false), third = record(3, true);
	struct own_session s;

	ck_assert_ptr_nonnull(o);
	s = session(1);
	own_note(o, 0, &s, 0);
	s = session(3);
	own_note(o, 2, &s, 0); /* there is none */
	ck_assert(!own_is(o, &third, 0));
	ck_assert_int_eq(own_change(o, 3, 2 * KEEP_NS, 0), 0);
	ck_assert(own_is(o, &first, 0));
	own_note(o, 2, &s, 0);
	ck_assert(own_is(o, &third, 0));
	ck_assert_int_eq(own_change(o, 0, 2 * KEEP_NS, 0), 0);
	ck_assert(own_is(o, &third, KEEP_NS));
	ck_assert(own_is(o, &first, KEEP_NS));
	ck_assert(!own_is(o, &third, 2 * KEEP_NS));
	own_free(o);
}
END_TEST

UNIT_MAIN("own", sockets_may_become_more_and_fewer,
    a_session_is_known_in_both_directions_and_nothing_else_is,
    a_socket_without_a_session_matches_no_record,
    a_session_that_ended_is_remembered_for_a_while, each_socket_has_its_session,
    sessions_that_come_and_go_are_forgotten_oldest_first)

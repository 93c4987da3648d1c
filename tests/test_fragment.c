/* SPDX-License-Identifier: ISC */
/*
 * test_fragment.c - later fragments join the flow of their first, as long as
 * the table remembers it and no longer.
 */
#include <string.h>

#include "decode.h"
#include "fragment.h"
#include "tests/unit.h"

#define LIFETIME_NS (FRAGMENT_LIFETIME_MS * UINT64_C(1000000))

/* A first fragment, UDP from 10.0.0.1 port 53 to 10.0.0.2 port 5353. */
static struct packet
first(uint32_t id)
{
	struct packet p = { .clock_ns = 1000,
		.src = { 10, 0, 0, 1 },
		.dst = { 10, 0, 0, 2 },
		.octets = 1500,
		.fragment_id = id,
		.src_port = 53,
		.dst_port = 5353,
		.protocol = 17,
		.ip_version = 4,
		.fragment = FRAGMENT_FIRST };

	return p;
}

/* The fragment after it. */
static struct packet
later(uint32_t id)
{
	struct packet p = first(id);

	p.fragment = FRAGMENT_LATER;
	p.src_port = p.dst_port = 0;
	return p;
}

static struct fragment_table *
table(uint32_t entries)
{
	struct fragment_table *t = fragment_new(entries);

	ck_assert_ptr_nonnull(t);
	return t;
}

static void
add_first(struct fragment_table *t, uint32_t id)
{
	struct packet p = first(id);

	ck_assert(fragment_join(t, &p));
}

static bool
knows(struct fragment_table *t, struct packet p)
{
	bool joined = fragment_join(t, &p);

	ck_assert_uint_eq(p.src_port, joined ? 53 : 0);
	ck_assert_uint_eq(p.dst_port, joined ? 5353 : 0);
	return joined;
}

UNIT(a_later_fragment_is_given_the_ports_of_its_first)
{
	struct fragment_table *t = table(4);
	struct packet p = first(7), before = p;

	ck_assert(fragment_join(t, &p));
	ck_assert_mem_eq(&p, &before, sizeof(p)); /* the first stays as it is */
	ck_assert(knows(t, later(7)));
	ck_assert(knows(t, later(7)));
	fragment_free(t);
}
END_TEST

UNIT(a_later_fragment_without_a_first_keeps_ports_0)
{
	struct fragment_table *t = table(4);

	ck_assert(!knows(t, later(7)));
	add_first(t, 8);
	ck_assert(!knows(t, later(7)));
	fragment_free(t);
}
END_TEST

UNIT(each_part_of_the_key_tells_datagrams_apart)
{
	struct fragment_table *t = table(4);
	struct packet p;

	add_first(t, 7);
	p = later(7 + 65536);
	ck_assert(!knows(t, p));
	p = later(7);
	p.src[3] ^= 1;
	ck_assert(!knows(t, p));
	p = later(7);
	p.dst[15] ^= 1;
	ck_assert(!knows(t, p));
	p = later(7);
	p.protocol = 6;
	ck_assert(!knows(t, p));
	p = later(7);
	p.ip_version = 6;
	ck_assert(!knows(t, p));
	p = later(7);
	p.vlan = 9; /* the return path may be tagged otherwise */
	ck_assert(knows(t, p));
	fragment_free(t);
}
END_TEST

UNIT(the_other_direction_is_another_datagram)
{
	struct fragment_table *t = table(4);
	struct packet p = later(7);

	add_first(t, 7);
	p.src[3] = 2;
	p.dst[3] = 1;
	ck_assert(!knows(t, p));
	fragment_free(t);
}
END_TEST

UNIT(a_later_ipv6_fragment_is_given_the_protocol_of_its_first)
{
	struct fragment_table *t = table(4);
	struct packet p = first(7);

	p.ip_version = 6;
	ck_assert(fragment_join(t, &p));
	p.fragment = FRAGMENT_LATER;
	p.src_port = p.dst_port = 0;
	p.protocol = 60; /* what its fragment header names */
	ck_assert(fragment_join(t, &p));
	ck_assert_uint_eq(p.protocol, 17);
	ck_assert_uint_eq(p.src_port, 53);
	ck_assert_uint_eq(p.dst_port, 5353);
	fragment_free(t);
}
END_TEST

UNIT(a_first_fragment_is_remembered_for_its_lifetime_exactly)
{
	struct fragment_table *t = table(4);
	struct packet p = later(7);

	add_first(t, 7);
	p.clock_ns = 1000 + LIFETIME_NS;
	ck_assert(knows(t, p));
	p.clock_ns++;
	ck_assert(!knows(t, p));
	fragment_free(t);
}
END_TEST

UNIT(a_full_table_forgets_the_oldest_first)
{
	struct fragment_table *t = table(3);

	for (uint32_t id = 1; id <= 3; id++)
		add_first(t, id);
	for (uint32_t id = 1; id <= 3; id++)
		ck_assert(knows(t, later(id)));
	for (uint32_t id = 4; id <= 50; id++) {
		add_first(t, id);
		ck_assert(!knows(t, later(id - 3)));
		ck_assert(knows(t, later(id - 2)));
		ck_assert(knows(t, later(id - 1)));
		ck_assert(knows(t, later(id)));
	}
	fragment_free(t);
}
END_TEST

UNIT(a_table_of_one_entry_remembers_one)
{
	struct fragment_table *t = table(1);

	add_first(t, 1);
	ck_assert(knows(t, later(1)));
	add_first(t, 2);
	ck_assert(!knows(t, later(1)));
	ck_assert(knows(t, later(2)));
	fragment_free(t);
}
END_TEST

UNIT(a_repeated_first_fragment_updates_its_entry)
{
	struct fragment_table *t = table(2);
	struct packet p = first(1);

	p.src_port = 99;
	ck_assert(fragment_join(t, &p));
	add_first(t, 2);
	p = first(1); /* the identification was used again, later */
	p.clock_ns += LIFETIME_NS;
	ck_assert(fragment_join(t, &p));
	ck_assert(knows(t, later(2))); /* no entry was taken */
	p = later(1);
	p.clock_ns += 2 * LIFETIME_NS;
	ck_assert(knows(t, p));
	fragment_free(t);
}
END_TEST

UNIT(time_that_ran_backwards_expires_nothing)
{
	struct fragment_table *t = table(2);
	struct packet p = later(1);

	add_first(t, 1);
	p.clock_ns = 0;
	ck_assert(knows(t, p));
	fragment_free(t);
}
END_TEST

/* Pseudo-random, the same each time: xorshift by George Marsaglia. */
static uint32_t
scatter(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/* One table, and a list that is searched from end to end. */
UNIT(answers_are_those_of_a_plain_list_whatever_the_seed)
{
	enum { ENTRIES = 100, PACKETS = 20000 };
	struct fragment_table *t = table(ENTRIES), *twin = table(ENTRIES);
	uint32_t list[PACKETS] = { 0 }, listed = 0, state = 1;

	for (int n = 0; n < PACKETS; n++) {
		uint32_t r = scatter(&state), id = r % 250, i;
		struct packet p = (r >> 16) % 2 ? first(id) : later(id);
		struct packet q = p;
		bool known;

		for (i = listed; i > 0 && i + ENTRIES > listed; i--)
			if (list[i - 1] == id)
				break;
		known = i > 0 && i + ENTRIES > listed;
		if (p.fragment == FRAGMENT_FIRST && !known)
			list[listed++] = id;
		known = known || p.fragment == FRAGMENT_FIRST;
		ck_assert_int_eq(fragment_join(t, &p), known);
		ck_assert_int_eq(fragment_join(twin, &q), known);
		ck_assert_uint_eq(p.src_port, known ? 53 : 0);
		ck_assert_uint_eq(q.src_port, p.src_port);
	}
	ck_assert_uint_gt(listed / ENTRIES, 10);
	fragment_free(t);
	fragment_free(twin);
}
END_TEST

UNIT(a_table_too_large_or_of_nothing_is_refused)
{
	ck_assert_ptr_null(fragment_new(0));
	ck_assert_ptr_null(fragment_new(UINT32_MAX));
	fragment_free(NULL);
}
END_TEST

UNIT_MAIN("fragment", a_later_fragment_is_given_the_ports_of_its_first,
    a_later_fragment_without_a_first_keeps_ports_0,
    each_part_of_the_key_tells_datagrams_apart,
    the_other_direction_is_another_datagram,
    a_later_ipv6_fragment_is_given_the_protocol_of_its_first,
    a_first_fragment_is_remembered_for_its_lifetime_exactly,
    a_full_table_forgets_the_oldest_first, a_table_of_one_entry_remembers_one,
    a_repeated_first_fragment_updates_its_entry,
    time_that_ran_backwards_expires_nothing,
    answers_are_those_of_a_plain_list_whatever_the_seed,
    a_table_too_large_or_of_nothing_is_refused)

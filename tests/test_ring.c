/* SPDX-License-Identifier: ISC */
/*
 * test_ring.c - the ring keeps order, bounds and every octet, also between
 * two threads.
 */
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "record.h"
#include "ring.h"
#include "tests/unit.h"

#define STRESS_RECORDS 3000000U

/* A record that is `n` in its first, its middle and its last octets. */
static struct flow_record
numbered(uint64_t n)
{
	struct flow_record r = { .ended_ns = n, .rev = { .octets = ~n } };

	memcpy(r.src, &n, sizeof(n));
	return r;
}

static void
check_number(const struct flow_record *r, uint64_t n)
{
	uint64_t src;

	memcpy(&src, r->src, sizeof(src));
	if (src != n || r->ended_ns != n || r->rev.octets != ~n)
		ck_abort_msg("record %llu is not whole", (unsigned long long)n);
}

static struct ring *
make(uint32_t entries)
{
	struct ring *r = ring_new(entries, sizeof(struct flow_record));

	ck_assert_ptr_nonnull(r);
	return r;
}

/* Push `n` records from *next on; how many there was room for. */
static unsigned
push(struct ring *r, uint64_t *next, unsigned n)
{
	unsigned pushed = 0;

	while (pushed < n) {
		struct flow_record rec = numbered(*next);

		if (!ring_push(r, &rec))
			break;
		pushed++;
		++*next;
	}
	return pushed;
}

/* Take at most `n` records of one row, which must be those from *next on. */
static size_t
take(struct ring *r, uint64_t *next, size_t n)
{
	size_t there;
	const struct flow_record *first = ring_peek(r, &there);

	if (there < n)
		n = there;
	for (size_t i = 0; i < n; i++)
		check_number(&first[i], (*next)++);
	ring_release(r, n);
	return n;
}

UNIT(a_ring_has_room_for_at_least_as_many_as_asked)
{
	static const uint32_t asked[] = { 0, 1, 2, 3, 100, 128, 129 };

	for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
		struct ring *r = make(asked[i]);
		uint64_t next = 0;

		ck_assert_uint_ge(ring_capacity(r), asked[i]);
		ck_assert_uint_gt(ring_capacity(r), 0);
		ck_assert_uint_eq(push(r, &next, 1000), ring_capacity(r));
		ring_free(r);
	}
}
END_TEST

UNIT(an_empty_ring_has_nothing_to_peek_at)
{
	struct ring *r = make(4);
	size_t n = 1;

	(void)ring_peek(r, &n);
	ck_assert_uint_eq(n, 0);
	ck_assert_uint_eq(ring_used(r), 0);
	ring_release(r, 0);
	(void)ring_peek(r, &n);
	ck_assert_uint_eq(n, 0);
	ring_free(r);
}
END_TEST

UNIT(records_come_out_in_the_order_they_went_in)
{
	struct ring *r = make(8);
	uint64_t in = 0, out = 0;

	ck_assert_uint_eq(push(r, &in, 5), 5);
	ck_assert_uint_eq(ring_used(r), 5);
	ck_assert_uint_eq(take(r, &out, 5), 5);
	ck_assert_uint_eq(ring_used(r), 0);
	ring_free(r);
}
END_TEST

UNIT(a_full_ring_refuses_and_keeps_what_it_has)
{
	struct ring *r = make(4);
	uint64_t in = 0, out = 0;

	ck_assert_uint_eq(push(r, &in, 100), 4);
	ck_assert_uint_eq(push(r, &in, 1), 0);
	ck_assert_uint_eq(ring_used(r), 4);
	ck_assert_uint_eq(take(r, &out, 1), 1);
	ck_assert_uint_eq(push(r, &in, 100), 1); /* one was given back */
	while (out < in)
		ck_assert_uint_gt(take(r, &out, 4), 0);
	ring_free(r);
}
END_TEST

UNIT(what_was_peeked_at_stays_until_it_is_released)
{
	struct ring *r = make(4);
	const struct flow_record *first;
	uint64_t in = 0;
	size_t n;

	ck_assert_uint_eq(push(r, &in, 2), 2);
	first = ring_peek(r, &n);
	ck_assert_uint_eq(n, 2);
	ck_assert_uint_eq(push(r, &in, 100), 2);
	check_number(&first[0], 0);
	check_number(&first[1], 1);
	ring_release(r, 1);
	first = ring_peek(r, &n);
	ck_assert_uint_ge(n, 1);
	check_number(&first[0], 1);
	ring_free(r);
}
END_TEST

UNIT(a_row_ends_where_the_ring_wraps_and_the_rest_follows)
{
	struct ring *r = make(8);
	uint64_t in = 0, out = 0;

	ck_assert_uint_eq(push(r, &in, 6), 6);
	ck_assert_uint_eq(take(r, &out, 8), 6);
	ck_assert_uint_eq(push(r, &in, 8), 8);
	ck_assert_uint_eq(take(r, &out, 8), 2);
	ck_assert_uint_eq(take(r, &out, 8), 6);
	ck_assert_uint_eq(take(r, &out, 8), 0);
	ring_free(r);
}
END_TEST

UNIT(any_mix_of_pushing_and_taking_keeps_order_and_count)
{
	struct ring *r = make(16);
	uint64_t in = 0, out = 0;
	uint32_t random = 1;

	for (int i = 0; i < 100000; i++) {
		random = random * 1664525 + 1013904223;
		push(r, &in, random >> 16 & 15);
		take(r, &out, random >> 24 & 15);
		ck_assert_uint_eq(ring_used(r), in - out);
		ck_assert_uint_le(in - out, ring_capacity(r));
	}
	ck_assert_uint_gt(out, 100000);
	ring_free(r);
}
END_TEST

/* The producer's side of the stress: every record, in order. */
static void *
produce(void *arg)
{
	struct ring *r = arg;
	uint64_t next = 0;

	while (next < STRESS_RECORDS)
		if (push(r, &next, STRESS_RECORDS - (unsigned)next) == 0)
			sched_yield();
	return NULL;
}

static void
stress(uint32_t entries)
{
	struct ring *r = make(entries);
	pthread_t producer;
	uint64_t out = 0;

	ck_assert_int_eq(pthread_create(&producer, NULL, produce, r), 0);
	while (out < STRESS_RECORDS)
		if (take(r, &out, SIZE_MAX) == 0)
			sched_yield();
	pthread_join(producer, NULL);
	ck_assert_uint_eq(ring_used(r), 0);
	ring_free(r);
}

UNIT(two_threads_pass_millions_of_records_whole_and_in_order)
{
	stress(1024);
}
END_TEST

UNIT(two_threads_pass_millions_of_records_through_a_tiny_ring)
{
	stress(3);
}
END_TEST

UNIT(items_may_have_any_size)
{
	static const size_t sizes[] = { 1, 3, 8, 61, 4096 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct ring *r = ring_new(4, sizes[i]);
		uint8_t item[4096];
		const uint8_t *first;
		size_t n;

		ck_assert_ptr_nonnull(r);
		for (int turn = 0; turn < 10; turn++) {
			memset(item, turn, sizeof(item));
			ck_assert(ring_push(r, item));
			first = ring_peek(r, &n);
			ck_assert_uint_eq(n, 1);
			ck_assert_mem_eq(first, item, sizes[i]);
			ring_release(r, 1);
		}
		ring_free(r);
	}
}
END_TEST

UNIT(freeing_no_ring_is_fine)
{
	ring_free(NULL);
}
END_TEST

UNIT_MAIN("ring", a_ring_has_room_for_at_least_as_many_as_asked,
    an_empty_ring_has_nothing_to_peek_at,
    records_come_out_in_the_order_they_went_in,
    a_full_ring_refuses_and_keeps_what_it_has,
    what_was_peeked_at_stays_until_it_is_released,
    a_row_ends_where_the_ring_wraps_and_the_rest_follows,
    any_mix_of_pushing_and_taking_keeps_order_and_count,
    two_threads_pass_millions_of_records_whole_and_in_order,
    two_threads_pass_millions_of_records_through_a_tiny_ring,
    items_may_have_any_size, freeing_no_ring_is_fine)

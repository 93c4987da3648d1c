/* SPDX-License-Identifier: ISC */
/*
 * test_queue.c - whole messages, in order, bounded, none lost and none torn.
 */
#include <errno.h>
#include <string.h>

#include "queue.h"
#include "unit.h"

static struct queue *
make(size_t octets)
{
	struct queue *q = queue_new(octets);

	ck_assert_ptr_nonnull(q);
	return q;
}

/* Queue a message of `len` octets, each of them n, that stands for n. */
static int
put(struct queue *q, unsigned n, size_t len)
{
	const struct cargo cargo = { n, 2 * (uint64_t)n, 3 * (uint64_t)n };
	uint8_t data[4096];

	ck_assert_uint_le(len, sizeof(data));
	memset(data, (int)(n & 0xff), len);
	return queue_put(q, data, len, &cargo);
}

static void
check(const struct queue *q, size_t i, unsigned n, size_t len)
{
	const struct queued *m = queue_peek(q, i);

	ck_assert_uint_eq(m->len, len);
	ck_assert_uint_eq(m->data[0], n & 0xff);
	ck_assert(memcmp(m->data, m->data + 1, len - 1) == 0); /* all alike */
	ck_assert_uint_eq(m->cargo.records, n);
	ck_assert_uint_eq(m->cargo.packets, 2 * (uint64_t)n);
	ck_assert_uint_eq(m->cargo.octets, 3 * (uint64_t)n);
}

UNIT(messages_come_out_as_they_went_in_and_in_order)
{
	struct queue *q = make(1000);

	ck_assert_uint_eq(queue_count(q), 0);
	ck_assert_int_eq(put(q, 1, 100), 0);
	ck_assert_int_eq(put(q, 2, 300), 0);
	ck_assert_int_eq(put(q, 3, 1), 0);
	ck_assert_uint_eq(queue_count(q), 3);
	ck_assert_uint_eq(queue_octets(q), 401);
	check(q, 0, 1, 100);
	check(q, 2, 3, 1);
	queue_take(q);
	check(q, 0, 2, 300);
	queue_take(q);
	check(q, 0, 3, 1);
	queue_take(q);
	ck_assert_uint_eq(queue_count(q), 0);
	ck_assert_uint_eq(queue_octets(q), 0);
	queue_free(q);
}
END_TEST

UNIT(a_message_that_does_not_fit_changes_nothing)
{
	struct queue *q = make(1000);

	ck_assert_int_eq(put(q, 1, 1001), -1);
	ck_assert_int_eq(put(q, 1, 600), 0);
	ck_assert_int_eq(put(q, 2, 401), -1);
	ck_assert_int_eq(put(q, 3, 400), 0);
	ck_assert_int_eq(put(q, 4, 1), -1);
	ck_assert_uint_eq(queue_octets(q), 1000);
	check(q, 0, 1, 600);
	check(q, 1, 3, 400);
	queue_take(q);
	ck_assert_int_eq(put(q, 5, 601), -1);
	ck_assert_int_eq(put(q, 5, 600), 0); /* at the front again */
	check(q, 0, 3, 400);
	check(q, 1, 5, 600);
	queue_free(q);
}
END_TEST

UNIT(what_is_said_to_have_room_has_it)
{
	struct queue *q = make(1000);
	unsigned in = 0, out = 0, random = 1;

	for (unsigned turn = 0; turn < 20000; turn++) {
		size_t len;

		random = random * 1103515245 + 12345;
		len = 1 + (random >> 16) % 300;
		if (random >> 8 & 1 && queue_count(q) > 0) {
			check(q, 0, out, queue_peek(q, 0)->len);
			queue_take(q);
			out++;
			continue;
		}
		if (queue_has_room(q, 2, len)) {
			ck_assert_int_eq(put(q, in++, len), 0);
			ck_assert_int_eq(put(q, in++, len), 0);
		} else if (!queue_has_room(q, 1, len)) {
			ck_assert_int_eq(put(q, in, len), -1);
		}
		ck_assert_uint_eq(queue_count(q), in - out);
	}
	ck_assert_uint_gt(out, 1000);
	queue_free(q);
}
END_TEST

UNIT(tiny_messages_are_bounded_too)
{
	struct queue *q = make(640);
	unsigned n = 0;

	while (put(q, n, 1) == 0)
		n++;
	ck_assert_uint_eq(n, 11);
	ck_assert(!queue_has_room(q, 1, 1));
	for (unsigned i = 0; i < n; i++) {
		check(q, 0, i, 1);
		queue_take(q);
	}
	queue_free(q);
}
END_TEST

UNIT(freeing_no_queue_is_fine)
{
	queue_free(NULL);
}
END_TEST

UNIT_MAIN("queue", messages_come_out_as_they_went_in_and_in_order,
    a_message_that_does_not_fit_changes_nothing,
    what_is_said_to_have_room_has_it, tiny_messages_are_bounded_too,
    freeing_no_queue_is_fine)

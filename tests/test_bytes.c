/* SPDX-License-Identifier: ISC */
/*
 * test_bytes.c - cursors give what is there, in either byte order, and
 * nothing of what is not.
 */
#include <stdint.h>
#include <string.h>

#include "bytes.h"
#include "tests/unit.h"

static const uint8_t data[] = { 1, 2, 3, 4, 5, 6, 7, 8 };

UNIT(integers_are_read_in_network_order)
{
	struct rbuf r = rb_init(data, 7);

	ck_assert_uint_eq(rb_u8(&r), 0x01);
	ck_assert_uint_eq(rb_u16(&r), 0x0203);
	ck_assert_uint_eq(rb_u32(&r), 0x04050607);
	ck_assert_uint_eq(rb_left(&r), 0);
	ck_assert(!r.bad);
}
END_TEST

UNIT(integers_are_read_in_little_endian_order)
{
	struct rbuf r = rb_init(data, 6);

	ck_assert_uint_eq(rb_le16(&r), 0x0201);
	ck_assert_uint_eq(rb_le32(&r), 0x06050403);
	ck_assert_uint_eq(rb_left(&r), 0);
	ck_assert(!r.bad);
}
END_TEST

UNIT(the_highest_values_are_read_whole)
{
	static const uint8_t ones[4] = { 0xff, 0xff, 0xff, 0xff };
	struct rbuf r = rb_init(ones, 4), s = r, t = r, u = r;

	ck_assert_uint_eq(rb_u32(&r), UINT32_MAX);
	ck_assert_uint_eq(rb_le32(&s), UINT32_MAX);
	ck_assert_uint_eq(rb_u16(&t), UINT16_MAX);
	ck_assert_uint_eq(rb_le16(&u), UINT16_MAX);
}
END_TEST

/* Each read of n octets, from n - 1. */
UNIT(a_read_past_the_end_gives_0_and_takes_nothing)
{
	struct rbuf r[5];

	for (size_t i = 0; i < 5; i++)
		r[i] = rb_init(data, i);
	ck_assert_uint_eq(rb_u8(&r[0]), 0);
	ck_assert_uint_eq(rb_u16(&r[1]), 0);
	ck_assert_uint_eq(rb_le16(&r[2]), 0x0201);
	ck_assert_uint_eq(rb_le16(&r[2]), 0);
	ck_assert_uint_eq(rb_u32(&r[3]), 0);
	ck_assert_uint_eq(rb_u8(&r[4]), 1);
	ck_assert_uint_eq(rb_le32(&r[4]), 0);
	for (size_t i = 0; i < 5; i++)
		ck_assert(r[i].bad);
	ck_assert_uint_eq(rb_left(&r[3]), 3);
}
END_TEST

UNIT(a_bad_cursor_stays_bad)
{
	struct rbuf r = rb_init(data, 3);

	ck_assert_uint_eq(rb_u32(&r), 0);
	ck_assert_uint_eq(rb_u8(&r), 0); /* though it would fit */
	ck_assert_ptr_null(rb_take(&r, 0));
	ck_assert(r.bad);
}
END_TEST

UNIT(take_steps_over_octets_and_says_where_they_are)
{
	struct rbuf r = rb_init(data, sizeof(data));

	ck_assert_ptr_eq(rb_take(&r, 3), data);
	ck_assert_ptr_eq(rb_take(&r, 0), data + 3);
	ck_assert_uint_eq(rb_left(&r), 5);
	ck_assert_ptr_null(rb_take(&r, SIZE_MAX));
	ck_assert(r.bad);
}
END_TEST

UNIT(copy_zeroes_what_it_cannot_fill)
{
	struct rbuf r = rb_init(data, 5);
	uint8_t to[4] = { 9, 9, 9, 9 };

	rb_copy(&r, to, 3);
	ck_assert_mem_eq(to, "\1\2\3\11", 4);
	rb_copy(&r, to, 3);
	ck_assert_mem_eq(to, "\0\0\0\11", 4);
	ck_assert(r.bad);
}
END_TEST

UNIT(a_limit_shortens_and_never_lengthens)
{
	struct rbuf r = rb_init(data, 6);

	rb_limit(&r, 7);
	ck_assert_uint_eq(rb_left(&r), 6);
	rb_take(&r, 1);
	rb_limit(&r, 2);
	ck_assert_uint_eq(rb_u16(&r), 0x0203);
	ck_assert(!r.bad);
	ck_assert_uint_eq(rb_u8(&r), 0);
	ck_assert(r.bad);
}
END_TEST

UNIT(a_second_cursor_leaves_the_first_where_it_is)
{
	struct rbuf r = rb_init(data, 2), second = rb_rest(&r);

	ck_assert_uint_eq(rb_u16(&second), 0x0102);
	ck_assert_uint_eq(rb_u8(&second), 0);
	ck_assert(second.bad && !r.bad);
	ck_assert_uint_eq(rb_left(&r), 2);
	rb_take(&r, 3);
	second = rb_rest(&r);
	ck_assert(second.bad);
}
END_TEST

UNIT(no_octets_at_all_are_a_buffer_too)
{
	struct rbuf r = rb_init(data, 0);
	uint8_t to[1] = { 9 };
	struct wbuf w = wb_init(to, 0);

	ck_assert_uint_eq(rb_left(&r), 0);
	ck_assert_ptr_eq(rb_take(&r, 0), data);
	ck_assert(!r.bad);
	ck_assert_uint_eq(wb_room(&w), 0);
	wb_u8(&w, 1);
	ck_assert(w.full);
	ck_assert_uint_eq(to[0], 9);
}
END_TEST

UNIT(integers_are_written_in_network_order)
{
	uint8_t to[16];
	struct wbuf w = wb_init(to, sizeof(to));

	wb_u8(&w, 0x01);
	wb_u16(&w, 0x0203);
	wb_u32(&w, 0x04050607);
	wb_uint(&w, UINT64_C(0xaa08090a0b0c0d0e), 7);
	ck_assert_mem_eq(
	    to, "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e", 14);
	ck_assert_uint_eq(wb_len(&w), 14);
	ck_assert_uint_eq(wb_room(&w), 2);
	ck_assert(!w.full);
}
END_TEST

UNIT(eight_octets_are_written_whole_and_read_back)
{
	uint8_t to[8];
	struct wbuf w = wb_init(to, sizeof(to));
	struct rbuf r = rb_init(to, sizeof(to));

	wb_uint(&w, UINT64_C(0xfedcba9876543210), 8);
	ck_assert_uint_eq(rb_u32(&r), UINT32_C(0xfedcba98));
	ck_assert_uint_eq(rb_u32(&r), UINT32_C(0x76543210));
}
END_TEST

/* Each write of n octets into n - 1. */
UNIT(a_write_past_the_end_writes_nothing_and_sticks)
{
	uint8_t to[4] = { 9, 9, 9, 9 };

	for (size_t room = 0; room < 4; room++) {
		struct wbuf w = wb_init(to, room);

		switch (room) {
		case 0:
			wb_u8(&w, 1);
			break;
		case 1:
			wb_u16(&w, 1);
			break;
		case 2:
			wb_put(&w, data, 3);
			break;
		default:
			wb_u32(&w, 1);
			break;
		}
		ck_assert(w.full);
		wb_zero(&w, 0);
		ck_assert_ptr_null(wb_take(&w, 0));
		ck_assert_uint_eq(wb_len(&w), 0);
	}
	ck_assert_mem_eq(to, "\11\11\11\11", 4);
}
END_TEST

UNIT(octets_and_zeroes_are_appended)
{
	uint8_t to[6] = { 9, 9, 9, 9, 9, 9 };
	struct wbuf w = wb_init(to, sizeof(to));

	wb_put(&w, data, 2);
	wb_zero(&w, 3);
	ck_assert_mem_eq(to, "\1\2\0\0\0\11", 6);
	wb_zero(&w, 2);
	ck_assert(w.full);
	ck_assert_uint_eq(to[5], 9);
	ck_assert_uint_eq(wb_len(&w), 5);
}
END_TEST

UNIT(a_length_is_patched_in_place)
{
	uint8_t to[4];
	struct wbuf w = wb_init(to, sizeof(to));

	wb_zero(&w, 4);
	wb_patch16(&w, 1, 0x0102);
	ck_assert_mem_eq(to, "\0\1\2\0", 4);
	ck_assert_uint_eq(wb_len(&w), 4);
}
END_TEST

UNIT_MAIN("bytes", integers_are_read_in_network_order,
    integers_are_read_in_little_endian_order, the_highest_values_are_read_whole,
    a_read_past_the_end_gives_0_and_takes_nothing, a_bad_cursor_stays_bad,
    take_steps_over_octets_and_says_where_they_are,
    copy_zeroes_what_it_cannot_fill, a_limit_shortens_and_never_lengthens,
    a_second_cursor_leaves_the_first_where_it_is,
    no_octets_at_all_are_a_buffer_too, integers_are_written_in_network_order,
    eight_octets_are_written_whole_and_read_back,
    a_write_past_the_end_writes_nothing_and_sticks,
    octets_and_zeroes_are_appended, a_length_is_patched_in_place)

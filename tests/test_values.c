/* SPDX-License-Identifier: ISC */
/*
 * test_values.c - numbers, octets, times and words, and what is none.
 */
#include <string.h>

#include "unit.h"
#include "values.h"

static char reason[REASON_LEN];

UNIT(numbers_within_bounds_are_taken_and_nothing_else)
{
	static const char *const bad[] = { "", "1", "101", "-5", "+5", " 5",
		"5 ", "5x", "0x5", "18446744073709551621" };
	uint64_t n;

	ck_assert_int_eq(value_parse_number("2", 2, 100, &n, reason), 0);
	ck_assert_uint_eq(n, 2);
	ck_assert_int_eq(value_parse_number("0100", 2, 100, &n, reason), 0);
	ck_assert_uint_eq(n, 100);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_int_eq(
		    value_parse_number(bad[i], 2, 100, &n, reason), -1);
		ck_assert_str_eq(reason, "give a number from 2 to 100");
	}
}
END_TEST

UNIT(octets_are_taken_with_k_and_m)
{
	static const char *const bad[] = { "", "k", "4095", "1025k", "2M", "5G",
		"-8k", "8 k", "18014398509481985k" };
	uint64_t n;

	ck_assert_int_eq(
	    value_parse_octets("4096", 4096, 1 << 20, &n, reason), 0);
	ck_assert_uint_eq(n, 4096);
	ck_assert_int_eq(
	    value_parse_octets("64k", 4096, 1 << 20, &n, reason), 0);
	ck_assert_uint_eq(n, 65536);
	ck_assert_int_eq(
	    value_parse_octets("1M", 4096, 1 << 20, &n, reason), 0);
	ck_assert_uint_eq(n, 1 << 20);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_int_eq(
		    value_parse_octets(bad[i], 4096, 1 << 20, &n, reason), -1);
		ck_assert_str_eq(
		    reason, "give 4096 to 1048576 octets, or use k or M");
	}
}
END_TEST

UNIT(times_are_sums_of_numbers_with_units)
{
	static const struct {
		const char *text;
		uint32_t ms;
	} table[] = { { "0", 0 }, { "90", 90000 }, { "1m30s", 90000 },
		{ "1m30", 90000 }, { "500ms", 500 }, { "2h", 7200000 },
		{ "1w", 604800000 }, { "1d12h", 129600000 },
		{ "1W2D3H4M5S6MS", 788645006 }, { "007", 7000 },
		{ "2147483647ms", VALUE_TIME_MAX_MS }, { "1s1s", 2000 } };
	uint32_t ms;

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		ck_assert_int_eq(value_time(table[i].text, &ms), 0);
		ck_assert_uint_eq(ms, table[i].ms);
	}
}
END_TEST

UNIT(what_is_no_time_is_refused)
{
	static const char *const table[] = { "", " ", "s", "1x", "x1", "-1",
		"+1", " 1", "1 ", "1.5s", "1m 30s", "0x10", "2147483648ms",
		"2147484", "4w", "18446744073709551616", "99999999999999999999",
		"30500568904943w", "1mm", "1s\n" };
	uint32_t ms;

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		ck_assert_msg(value_time(table[i], &ms) == -1, "\"%s\": %u",
		    table[i], ms);
}
END_TEST

static const struct choice fruits[] = { { "apple", 1, false },
	{ "pear", 2, false }, { "plum", 4, false }, { "quince", 8, true },
	{ NULL, 0, false } };

UNIT(words_are_taken_from_a_list_and_others_are_told_of_it)
{
	uint32_t value = 0;

	ck_assert_int_eq(choice_value(fruits, "pear", &value, reason), 0);
	ck_assert_uint_eq(value, 2);
	ck_assert_int_eq(choice_value(fruits, "fig", &value, reason), -1);
	ck_assert_str_eq(
	    reason, "\"fig\" is not known; give apple, pear or plum");
	ck_assert_int_eq(choice_value(fruits, "quince", &value, reason), -1);
	ck_assert_str_eq(
	    reason, "not supported yet; only apple, pear and plum are");
}
END_TEST

UNIT(several_words_add_up)
{
	static const char *const bad[] = { "", "apple,", ",apple",
		"apple,,plum", "apple plum", "apple+plum", "quince,apple" };
	uint32_t values = 0;

	ck_assert_int_eq(
	    choice_values(fruits, "plum,apple", ',', &values, reason), 0);
	ck_assert_uint_eq(values, 5);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_eq(
		    choice_values(fruits, bad[i], ',', &values, reason), -1);
	ck_assert_uint_eq(values, 5); /* untouched */
}
END_TEST

UNIT(what_is_shown_of_a_value_is_one_short_line)
{
	char text[] = "a\nb\tc\x7f";

	value_one_line(text);
	ck_assert_str_eq(text, "a?b?c?");
	ck_assert_int_eq(value_shown(5), 5);
	ck_assert_int_eq(value_shown(100000), VALUE_SHOWN_MAX);
}
END_TEST

UNIT_MAIN("values", numbers_within_bounds_are_taken_and_nothing_else,
    octets_are_taken_with_k_and_m, times_are_sums_of_numbers_with_units,
    what_is_no_time_is_refused,
    words_are_taken_from_a_list_and_others_are_told_of_it, several_words_add_up,
    what_is_shown_of_a_value_is_one_short_line)

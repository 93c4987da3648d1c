/* SPDX-License-Identifier: ISC */
/*
 * test_transport_file.c - messages reach files whole, under the right names,
 * and what cannot be written waits or is counted.
 *
 * Time is made up.  write(2) is replaced by one that can be told that the
 * disk is full after so many octets.
 */
#include <sys/stat.h>
#include <sys/syscall.h>

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "tests/export.h"
#include "transport.h"
#include "wake.h"

#define S NS_PER_S

static size_t room = SIZE_MAX; /* octets until the disk is full */
static char directory[64];
static struct collector_config config;

ssize_t
write(int fd, const void *data, size_t len)
{
	if (len > 0 && room == 0) {
		errno = ENOSPC;
		return -1;
	}
	if (len > room)
		len = room;
	if (room != SIZE_MAX)
		room -= len;
	return syscall(SYS_write, fd, data, len);
}

/* The path of a file in this test's directory. */
static const char *
path_of(const char *name)
{
	static char path[2][400];
	static int turn;

	turn = 1 - turn;
	(void)snprintf(path[turn], sizeof(path[0]), "%s/%s", directory, name);
	return path[turn];
}

/* A transport into a file of this name, in a new directory. */
static struct transport *
make(enum collector_kind kind, const char *name)
{
	static struct wake wake = { .fd = { -1, -1 } };
	static char path[400];
	struct transport *t;

	(void)strlcpy(directory, "/tmp/test_file.XXXXXX", sizeof(directory));
	ck_assert_ptr_nonnull(mkdtemp(directory));
	(void)strlcpy(path, path_of(name), sizeof(path));
	config = endpoint_defaults;
	config.kind = kind;
	config.path = path;
	room = SIZE_MAX;
	t = transport_new(&config, &wake);
	ck_assert_ptr_nonnull(t);
	transport_tick(t, 0); /* it begins */
	return t;
}

/* Hand over a message of so many octets, one record. */
static void
hand_over(struct transport *t, uint64_t time_ns, size_t len)
{
	static const uint8_t octets[1400] = { 10 };
	const struct cargo cargo = { 1, 2, 3 };

	transport_date(t, time_ns);
	ck_assert_int_eq(transport_send(t, octets, len, &cargo), 0);
	transport_flush(t);
}

/* How large a file is; -1 if it is not there. */
static long
size_of(const char *name)
{
	struct stat st;

	return stat(path_of(name), &st) == -1 ? -1 : (long)st.st_size;
}

/* Remove all; how many files there were. */
static int
clean_up(struct transport *t)
{
	DIR *d;
	int n = 0;

	transport_free(t);
	d = opendir(directory);
	ck_assert_ptr_nonnull(d);
	for (struct dirent *e; (e = readdir(d)) != NULL;) {
		if (e->d_name[0] == '.')
			continue;
		ck_assert_int_eq(unlink(path_of(e->d_name)), 0);
		n++;
	}
	closedir(d);
	ck_assert_int_eq(rmdir(directory), 0);
	return n;
}

UNIT(lines_are_appended_and_the_first_of_an_empty_file_is_fresh)
{
	struct transport *t = make(COLLECTOR_CSV, "x.csv");

	ck_assert(transport_fresh(t));
	hand_over(t, NOON, 10);
	ck_assert(!transport_fresh(t));
	ck_assert_int_eq(size_of("x.csv"), 10);
	ck_assert(transport_turn(t)); /* not renamed: the same file */
	ck_assert(!transport_fresh(t));
	hand_over(t, NOON, 10);
	ck_assert_int_eq(size_of("x.csv"), 20);
	ck_assert_int_eq(rename(path_of("x.csv"), path_of("old")), 0);
	ck_assert(transport_turn(t));
	ck_assert(transport_fresh(t));
	hand_over(t, NOON, 7);
	ck_assert_int_eq(size_of("x.csv"), 7);
	ck_assert_int_eq(size_of("old"), 20);
	ck_assert_int_eq(clean_up(t), 2);
}
END_TEST

UNIT(rfc5655_a_file_has_its_name_when_it_is_complete)
{
	struct transport *t = make(COLLECTOR_FILE, "%Y%m%d-%H%M%S");

	hand_over(t, NOON, 100);
	hand_over(t, NOON + 5 * S, 100);
	ck_assert_int_eq(size_of("20240301-120000.part"), 200);
	ck_assert(transport_turn(t));
	ck_assert_int_eq(size_of("20240301-120000.part"), -1);
	ck_assert_int_eq(size_of("20240301-120000"), 200);
	hand_over(t, NOON + 9 * S, 50);
	transport_end(t);
	ck_assert_int_eq(size_of("20240301-120009"), 50);
	ck_assert_int_eq(clean_up(t), 2);
}
END_TEST

UNIT(a_name_with_a_time_replaces_no_file_and_one_without_does)
{
	struct transport *t = make(COLLECTOR_FILE, "%s");

	for (int i = 1; i <= 3; i++) {
		hand_over(t, NOON, (size_t)i * 100);
		ck_assert(transport_turn(t));
	}
	ck_assert_int_eq(size_of("1709294400"), 100);
	ck_assert_int_eq(size_of("1709294400-1"), 200);
	ck_assert_int_eq(size_of("1709294400-2"), 300);
	ck_assert_int_eq(clean_up(t), 3);
	t = make(COLLECTOR_FILE, "x");
	for (int i = 1; i <= 3; i++) {
		hand_over(t, NOON, (size_t)i * 100);
		ck_assert(transport_turn(t));
	}
	ck_assert_int_eq(size_of("x"), 300);
	ck_assert_int_eq(clean_up(t), 1);
}
END_TEST

UNIT(a_file_is_complete_by_its_octets_or_at_a_multiple_of_the_time)
{
	struct transport *t = make(COLLECTOR_FILE, "%s");

	config.file_octets = 1000;
	ck_assert(!transport_complete(t, NOON, 2000)); /* there is none */
	hand_over(t, NOON, 400);
	ck_assert(!transport_complete(t, NOON, 600));
	ck_assert(transport_complete(t, NOON, 601));
	config.file_octets = 0;
	config.rotate_ms = 60000;
	ck_assert(!transport_complete(t, NOON + 60 * S - 1, 2000));
	ck_assert(transport_complete(t, NOON + 60 * S, 0));
	ck_assert(transport_turn(t));
	ck_assert(!transport_complete(t, NOON + 70 * S, 0));
	hand_over(t, NOON + 70 * S, 400);
	ck_assert(!transport_complete(t, NOON + 119 * S, 0));
	ck_assert(transport_complete(t, NOON + 120 * S, 0));
	ck_assert_int_eq(clean_up(t), 2);
}
END_TEST

UNIT(what_a_full_disk_does_not_take_waits_and_is_written_later)
{
	static const enum collector_kind kinds[] = { COLLECTOR_FILE,
		COLLECTOR_JSON };

	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		struct transport *t = make(kinds[k], "x");

		transport_tick(t, 10 * S);
		room = 250; /* half of the third */
		for (int i = 0; i < 5; i++)
			hand_over(t, NOON, 100);
		ck_assert_int_eq(transport_state(t), TRANSPORT_FAILED);
		ck_assert(transport_ready(t)); /* it holds nobody up */
		ck_assert(!transport_pending(t));
		ck_assert_uint_eq(transport_stats(t)->sent.records, 2);
		ck_assert_uint_eq(transport_stats(t)->queued.records, 3);
		room = SIZE_MAX;
		transport_tick(t, 11 * S);
		ck_assert_int_eq(transport_state(t), TRANSPORT_UP);
		ck_assert_uint_eq(transport_stats(t)->sent.records, 5);
		ck_assert_uint_eq(transport_stats(t)->lost.records, 0);
		transport_end(t);
		ck_assert_int_eq(size_of("x"), 500);
		ck_assert_int_eq(clean_up(t), 1);
	}
}
END_TEST

UNIT(no_half_message_is_left_in_a_file_that_ends)
{
	struct transport *t = make(COLLECTOR_FILE, "x");
	const struct transport_stats *stats = transport_stats(t);

	transport_tick(t, 10 * S);
	room = 250;
	for (int i = 0; i < 5; i++)
		hand_over(t, NOON, 100);
	ck_assert_int_eq(size_of("x.part"), 250);
	transport_end(t);
	ck_assert_int_eq(size_of("x"), 200);
	ck_assert_uint_eq(stats->sent.records, 2);
	ck_assert_uint_eq(stats->lost.records, 3);
	ck_assert_uint_eq(stats->lost.packets, 6);
	ck_assert_uint_eq(stats->queued.records, 0);
	ck_assert_int_eq(clean_up(t), 1);
}
END_TEST

UNIT(a_directory_that_is_not_there_is_waited_for)
{
	struct transport *t = make(COLLECTOR_FILE, "d/x");

	transport_tick(t, 10 * S);
	hand_over(t, NOON, 100);
	ck_assert_int_eq(transport_state(t), TRANSPORT_FAILED);
	ck_assert_int_eq(mkdir(path_of("d"), 0700), 0);
	transport_tick(t, 11 * S);
	ck_assert_int_eq(transport_state(t), TRANSPORT_UP);
	transport_end(t);
	ck_assert_int_eq(size_of("d/x"), 100);
	ck_assert_int_eq(unlink(path_of("d/x")), 0);
	ck_assert_int_eq(rmdir(path_of("d")), 0);
	ck_assert_int_eq(clean_up(t), 0);
}
END_TEST

UNIT_MAIN("transport_file",
    lines_are_appended_and_the_first_of_an_empty_file_is_fresh,
    rfc5655_a_file_has_its_name_when_it_is_complete,
    a_name_with_a_time_replaces_no_file_and_one_without_does,
    a_file_is_complete_by_its_octets_or_at_a_multiple_of_the_time,
    what_a_full_disk_does_not_take_waits_and_is_written_later,
    no_half_message_is_left_in_a_file_that_ends,
    a_directory_that_is_not_there_is_waited_for)

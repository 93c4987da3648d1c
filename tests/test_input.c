/* SPDX-License-Identifier: ISC */
/*
 * test_input.c - streams of files, gzip'd files, pipes and FIFOs.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef HAVE_ZLIB
#include <zlib.h>
#endif

#include "input.h"
#include "unit.h"
#include "wake.h"

#define DATA_LEN 700000 /* more than any buffer in input.c */

static char path[] = "/tmp/softprobe-input-XXXXXX/file";
static uint8_t data[DATA_LEN], got[DATA_LEN + 1];

/* A directory for one test, and octets that repeat nowhere near. */
static void
begin(void)
{
	char *slash = strrchr(path, '/');
	uint32_t x = 1;

	*slash = '\0';
	ck_assert_ptr_nonnull(mkdtemp(path));
	*slash = '/';
	for (size_t i = 0; i < DATA_LEN; i++) {
		x = x * 1664525 + 1013904223;
		data[i] = (uint8_t)(x >> 24 & 0x0f);
	}
}

static void
end(void)
{
	unlink(path);
	*strrchr(path, '/') = '\0';
	ck_assert_int_eq(rmdir(path), 0);
}

static void
write_file(const void *octets, size_t len)
{
	FILE *f = fopen(path, "wb");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(octets, 1, len, f), len);
	ck_assert_int_eq(fclose(f), 0);
}

static size_t
read_all(struct input *in)
{
	return fread(got, 1, sizeof(got), input_stream(in));
}

/* Open the file, and check that its stream is the first len data octets. */
static struct input *
check_stream(size_t len)
{
	struct input *in = input_open(path, NULL);

	ck_assert_ptr_nonnull(in);
	ck_assert_uint_eq(read_all(in), len);
	ck_assert_mem_eq(got, data, len);
	return in;
}

/* What another thread does to a FIFO or pipe that is being waited for. */
struct later {
	pthread_t thread;
	const char *fifo; /* to open and write; NULL: use fd */
	int fd;
	size_t len;              /* data octets to write, in pieces */
	const struct wake *ring; /* then; NULL: no ring */
	atomic_int *until;       /* then wait for this; NULL: do not */
	bool keep_open;
};

static bool
reached(atomic_int *until)
{
	return until == NULL || atomic_load(until) > 0;
}

static void *
do_later(void *arg)
{
	struct later *l = arg;

	usleep(50000);
	if (l->fifo != NULL)
		l->fd = open(l->fifo, O_WRONLY);
	for (size_t at = 0, n; at < l->len; at += n) {
		/* Single octets first, so that gzip's magic is torn apart. */
		n = at < 4 ? 1 : l->len - at;
		if (write(l->fd, data + at, n) != (ssize_t)n)
			return NULL;
		usleep(at < 4 ? 2000 : 50000);
	}
	if (l->ring != NULL)
		wake_ring(l->ring);
	for (int i = 0; i < 1000 && !reached(l->until); i++)
		usleep(5000);
	if (!l->keep_open)
		close(l->fd);
	return NULL;
}

static void
start(struct later *l)
{
	ck_assert_int_eq(pthread_create(&l->thread, NULL, do_later, l), 0);
}

static void
count(void *arg)
{
	atomic_fetch_add((atomic_int *)arg, 1);
}

UNIT(plain_file_is_read_to_its_last_octet)
{
	struct input *in;

	begin();
	write_file(data, DATA_LEN);
	in = check_stream(DATA_LEN);
	ck_assert_ptr_null(input_error(in));
	ck_assert(!input_stopped(in));
	input_close(in);
	end();
}
END_TEST

UNIT(files_of_0_to_3_octets_are_read)
{
	begin();
	for (size_t len = 0; len < 4; len++) {
		write_file(data, len);
		input_close(check_stream(len));
	}
	end();
}
END_TEST

/* Peek, then read by pieces to the end, and check what came. */
static void
check_reads(size_t len, size_t piece)
{
	struct input *in = input_open(path, NULL);
	size_t peek_len = len < INPUT_PEEK_MAX ? len : INPUT_PEEK_MAX;
	uint8_t head[INPUT_PEEK_MAX];
	size_t at = 0;
	ssize_t n;

	ck_assert_ptr_nonnull(in);
	for (size_t i = 0; i < 2; i++) {
		ck_assert_uint_eq(input_peek(in, head, 2), len < 2 ? len : 2);
		ck_assert_uint_eq(
		    input_peek(in, head, INPUT_PEEK_MAX), peek_len);
		ck_assert_mem_eq(head, data, peek_len);
	}
	do {
		size_t room = sizeof(got) - at;

		n = input_read(in, got + at, room < piece ? room : piece);
		ck_assert_int_le(n, (ssize_t)piece);
		at += n > 0 ? (size_t)n : 0;
	} while (n > 0);
	ck_assert_int_eq(n, 0);
	ck_assert_uint_eq(at, len);
	ck_assert_mem_eq(got, data, len);
	ck_assert_int_eq(input_read(in, got, piece), 0);
	input_close(in);
}

UNIT(reads_give_what_the_stream_would)
{
	begin();
	write_file(data, DATA_LEN);
	check_reads(DATA_LEN, 7);
	check_reads(DATA_LEN, 500000);
	for (size_t len = 0; len < INPUT_PEEK_MAX + 2; len++) {
		write_file(data, len);
		check_reads(len, 1000);
	}
	end();
}
END_TEST

UNIT(what_was_peeked_at_stays_in_the_stream)
{
	struct input *in;
	uint8_t head[INPUT_PEEK_MAX];

	begin();
	write_file(data, DATA_LEN);
	in = input_open(path, NULL);
	ck_assert_ptr_nonnull(in);
	ck_assert_uint_eq(input_peek(in, head, 24), 24);
	ck_assert_uint_eq(read_all(in), DATA_LEN);
	ck_assert_mem_eq(got, data, DATA_LEN);
	input_close(in);
	end();
}
END_TEST

UNIT(progress_of_a_file_runs_from_0_to_1000)
{
	struct input *in;
	int last = 0;

	begin();
	write_file(data, DATA_LEN);
	in = input_open(path, NULL);
	ck_assert_ptr_nonnull(in);
	ck_assert_int_lt(input_permille(in), 500);
	while (getc(input_stream(in)) != EOF) {
		ck_assert_int_ge(input_permille(in), last);
		last = input_permille(in);
	}
	ck_assert_int_eq(last, 1000);
	input_close(in);
	end();
}
END_TEST

UNIT(stream_may_be_closed_by_its_reader)
{
	struct input *in;

	begin();
	write_file(data, 100);
	in = check_stream(100);
	ck_assert_int_eq(fclose(input_stream(in)), 0);
	input_close(in);
	end();
}
END_TEST

UNIT(missing_file_is_enoent)
{
	begin();
	ck_assert_ptr_null(input_open(path, NULL));
	ck_assert_int_eq(errno, ENOENT);
	end();
}
END_TEST

UNIT(directory_is_eisdir)
{
	ck_assert_ptr_null(input_open("/", NULL));
	ck_assert_int_eq(errno, EISDIR);
}
END_TEST

static int calls_answered;

UNIT(closing_nothing_is_fine)
{
	input_close(NULL);
}
END_TEST

UNIT(fifo_without_writer_is_ended_by_a_ring)
{
	struct wake stop;
	struct input_waiter waiter = { .stop = &stop };
	struct later later = { .ring = &stop, .fd = -1 };
	struct input *in;

	begin();
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(wake_init(&stop), 0);
	start(&later);
	in = input_open(path, &waiter);
	ck_assert_ptr_nonnull(in);
	ck_assert_uint_eq(read_all(in), 0);
	ck_assert(input_stopped(in));
	ck_assert_ptr_null(input_error(in));
	pthread_join(later.thread, NULL);
	input_close(in);
	wake_close(&stop);
	end();
}
END_TEST

UNIT(fifo_gives_what_its_writer_wrote)
{
	struct later later = { .fifo = path, .len = 40000 };
	struct input *in;

	begin();
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	start(&later);
	in = check_stream(40000);
	ck_assert_int_eq(input_permille(in), -1);
	pthread_join(later.thread, NULL);
	input_close(in);
	end();
}
END_TEST

UNIT(fifo_that_falls_silent_is_ended_by_a_ring)
{
	struct wake stop;
	struct input_waiter waiter = { .stop = &stop };
	struct later later = {
		.ring = &stop, .fifo = path, .len = 40000, .keep_open = true
	};
	struct input *in;

	begin();
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(wake_init(&stop), 0);
	start(&later);
	in = input_open(path, &waiter);
	ck_assert_ptr_nonnull(in);
	ck_assert_uint_eq(read_all(in), 40000);
	ck_assert(input_stopped(in));
	pthread_join(later.thread, NULL);
	close(later.fd);
	input_close(in);
	wake_close(&stop);
	end();
}
END_TEST

UNIT(file_is_ended_by_a_ring_too)
{
	struct wake stop;
	struct input_waiter waiter = { .stop = &stop };
	struct input *in;

	begin();
	write_file(data, DATA_LEN);
	ck_assert_int_eq(wake_init(&stop), 0);
	in = input_open(path, &waiter);
	ck_assert_ptr_nonnull(in);
	wake_ring(&stop);
	ck_assert_uint_lt(read_all(in), DATA_LEN);
	ck_assert(input_stopped(in));
	input_close(in);
	wake_close(&stop);
	end();
}
END_TEST

static void
answer(void *arg)
{
	struct wake **wakes = arg;

	if (++calls_answered == 1)
		return; /* before the wait */
	wake_clear(wakes[0]);
	wake_ring(wakes[1]);
}

UNIT(call_is_answered_while_a_fifo_is_silent)
{
	struct wake call, stop, *wakes[2] = { &call, &stop };
	const struct input_waiter waiter = { &stop, &call, answer, wakes };
	struct later later = { .ring = &call, .fd = -1 };
	struct input *in;

	begin();
	calls_answered = 0;
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(wake_init(&stop), 0);
	ck_assert_int_eq(wake_init(&call), 0);
	start(&later);
	in = input_open(path, &waiter);
	ck_assert_ptr_nonnull(in);
	ck_assert(input_stopped(in));
	ck_assert_int_eq(calls_answered, 2);
	pthread_join(later.thread, NULL);
	input_close(in);
	wake_close(&stop);
	wake_close(&call);
	end();
}
END_TEST

UNIT(standard_input_is_read_and_stays_open)
{
	atomic_int waits = 0;
	const struct input_waiter waiter = { .waiting = count, .arg = &waits };
	struct later later = { .len = 40000, .until = &waits };
	struct input *in;
	int fd[2];

	begin();
	ck_assert_int_eq(pipe(fd), 0);
	ck_assert_int_eq(dup2(fd[0], STDIN_FILENO), STDIN_FILENO);
	close(fd[0]);
	later.fd = fd[1];
	start(&later);
	in = input_open("-", &waiter);
	ck_assert_ptr_nonnull(in);
	ck_assert_uint_eq(read_all(in), 40000);
	ck_assert_mem_eq(got, data, 40000);
	ck_assert_int_gt(waits, 0);
	pthread_join(later.thread, NULL);
	input_close(in);
	ck_assert_int_ne(fcntl(STDIN_FILENO, F_GETFD), -1);
	end();
}
END_TEST

UNIT(rings_before_the_sleeper_wakes_are_one)
{
	struct wake w;
	struct pollfd pfd = { .events = POLLIN };

	ck_assert_int_eq(wake_init(&w), 0);
	pfd.fd = wake_fd(&w);
	ck_assert_int_eq(poll(&pfd, 1, 0), 0);
	errno = ERANGE;
	for (int i = 0; i < 100000; i++) /* more than a pipe holds */
		wake_ring(&w);
	ck_assert_int_eq(errno, ERANGE);
	ck_assert_int_eq(poll(&pfd, 1, 0), 1);
	wake_clear(&w);
	ck_assert_int_eq(poll(&pfd, 1, 0), 0);
	wake_close(&w);
}
END_TEST

#ifdef HAVE_ZLIB

/* Append len data octets, from `from` on, as one gzip member. */
static void
append_member(size_t from, size_t len)
{
	gzFile f = gzopen(path, "ab");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(gzwrite(f, data + from, (unsigned)len), (int)len);
	ck_assert_int_eq(gzclose(f), Z_OK);
}

static void
append_octets(const char *octets, size_t len)
{
	FILE *f = fopen(path, "ab");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(octets, 1, len, f), len);
	ck_assert_int_eq(fclose(f), 0);
}

static size_t
file_len(void)
{
	struct stat st;

	ck_assert_int_eq(stat(path, &st), 0);
	return (size_t)st.st_size;
}

static void
check_error(struct input *in, const char *error)
{
	if (error == NULL)
		ck_assert_ptr_null(input_error(in));
	else
		ck_assert_str_eq(input_error(in), error);
	ck_assert_int_eq(ferror(input_stream(in)) != 0, error != NULL);
	input_close(in);
}

UNIT(gzip_file_is_inflated)
{
	struct input *in;

	begin();
	append_member(0, DATA_LEN);
	in = check_stream(DATA_LEN);
	ck_assert_int_eq(input_permille(in), 1000);
	check_error(in, NULL);
	end();
}
END_TEST

UNIT(gzip_file_is_read_as_a_plain_one)
{
	begin();
	append_member(0, 300000);
	append_member(300000, 300000);
	check_reads(600000, 11);
	check_reads(600000, 500000);
	end();
}
END_TEST

UNIT(gzip_members_are_one_stream)
{
	begin();
	append_member(0, 300000);
	append_member(300000, 0);
	append_member(300000, 300000);
	check_error(check_stream(600000), NULL);
	end();
}
END_TEST

UNIT(zeros_after_gzip_data_are_padding)
{
	static const char zeros[1000];

	begin();
	append_member(0, 5000);
	append_octets(zeros, sizeof(zeros));
	check_error(check_stream(5000), NULL);
	end();
}
END_TEST

UNIT(garbage_after_gzip_data_is_named_after_the_data)
{
	begin();
	append_member(0, 5000);
	append_octets("garbage", 7);
	check_error(check_stream(5000), "gzip data is damaged");
	end();
}
END_TEST

/* Stored, not compressed, so that the place of the damage is known. */
static void
write_stored_and_damage(size_t at)
{
	static uint8_t ones[DATA_LEN];
	gzFile gz = gzopen(path, "wb0");
	FILE *f;

	ck_assert_ptr_nonnull(gz);
	ck_assert_int_eq(gzwrite(gz, data, DATA_LEN), DATA_LEN);
	ck_assert_int_eq(gzclose(gz), Z_OK);
	memset(ones, 0xff, sizeof(ones)); /* no type of block */
	f = fopen(path, "r+b");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fseek(f, (long)at, SEEK_SET), 0);
	ck_assert_uint_eq(fwrite(ones, 1, DATA_LEN - at, f), DATA_LEN - at);
	ck_assert_int_eq(fclose(f), 0);
}

UNIT(gzip_damaged_anywhere_gives_what_is_before)
{
	const size_t headers_len = 200; /* of file and blocks */

	begin();
	for (size_t at = 100000; at < 600000; at += 30000) {
		struct input *in;

		unlink(path);
		write_stored_and_damage(at);
		in = input_open(path, NULL);
		ck_assert_ptr_nonnull(in);
		ck_assert_uint_ge(read_all(in), at - headers_len);
		ck_assert_mem_eq(got, data, at - headers_len);
		check_error(in, "gzip data is damaged");
	}
	end();
}
END_TEST

UNIT(gzip_cut_anywhere_gives_what_it_has_and_an_error)
{
	begin();
	append_member(0, 1000);
	for (size_t len = file_len() - 1; len >= 2; len--) {
		struct input *in;
		size_t n;

		ck_assert_int_eq(truncate(path, (off_t)len), 0);
		in = input_open(path, NULL);
		ck_assert_ptr_nonnull(in);
		n = read_all(in);
		ck_assert_uint_le(n, 1000);
		ck_assert_mem_eq(got, data, n);
		check_error(in, "gzip data ends early");
	}
	end();
}
END_TEST

UNIT(damaged_gzip_data_is_named)
{
	struct input *in;

	begin();
	append_member(0, 1000);
	ck_assert_int_eq(truncate(path, 10), 0); /* its header */
	append_octets("\xff\xff\xff\xff", 4);
	in = input_open(path, NULL);
	ck_assert_ptr_nonnull(in);
	ck_assert_uint_eq(read_all(in), 0);
	check_error(in, "gzip data is damaged");
	end();
}
END_TEST

#define GZIP_TESTS                                                             \
	gzip_file_is_inflated, gzip_file_is_read_as_a_plain_one,               \
	    gzip_members_are_one_stream, zeros_after_gzip_data_are_padding,    \
	    garbage_after_gzip_data_is_named_after_the_data,                   \
	    gzip_damaged_anywhere_gives_what_is_before,                        \
	    gzip_cut_anywhere_gives_what_it_has_and_an_error,                  \
	    damaged_gzip_data_is_named

#else

UNIT(gzip_file_is_enotsup)
{
	begin();
	write_file("\x1f\x8b\x08", 3);
	ck_assert_ptr_null(input_open(path, NULL));
	ck_assert_int_eq(errno, ENOTSUP);
	end();
}
END_TEST

#define GZIP_TESTS gzip_file_is_enotsup

#endif

UNIT_MAIN("input", plain_file_is_read_to_its_last_octet,
    files_of_0_to_3_octets_are_read, reads_give_what_the_stream_would,
    what_was_peeked_at_stays_in_the_stream,
    progress_of_a_file_runs_from_0_to_1000, stream_may_be_closed_by_its_reader,
    missing_file_is_enoent, directory_is_eisdir, closing_nothing_is_fine,
    fifo_without_writer_is_ended_by_a_ring, fifo_gives_what_its_writer_wrote,
    fifo_that_falls_silent_is_ended_by_a_ring, file_is_ended_by_a_ring_too,
    call_is_answered_while_a_fifo_is_silent,
    standard_input_is_read_and_stays_open,
    rings_before_the_sleeper_wakes_are_one, GZIP_TESTS)

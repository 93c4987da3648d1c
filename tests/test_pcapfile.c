/* SPDX-License-Identifier: ISC */
/*
 * test_pcapfile.c - the own reader of classic files gives what libpcap's gives:
 * of every capture in tests/pcap, whole and damaged, in every variant.
 */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#ifdef HAVE_ZLIB
#include <zlib.h>
#endif

#include "bytes.h"
#include "input.h"
#include "pcapfile.h"
#include "readers.h"
#include "unit.h"
#include "wake.h"

#define FILE_MAX 4000000
#define CAPTURE_FILE_MAX 100000 /* a longer capture is not taken */
#define HEADER_LEN PCAPFILE_HEADER_LEN
#define FRAME_LEN 46
#define ETHERNET 1

static char path[] = "/tmp/softprobe-pcapfile-XXXXXX/file";

static void
begin(void)
{
	char *slash = strrchr(path, '/');
	int null = open("/dev/null", O_WRONLY);

	/* Each unknown link type is warned about. */
	ck_assert_int_eq(dup2(null, STDERR_FILENO), STDERR_FILENO);
	close(null);
	*slash = '\0';
	ck_assert_ptr_nonnull(mkdtemp(path));
	*slash = '/';
}

static void
end(void)
{
	unlink(path);
	*strrchr(path, '/') = '\0';
	ck_assert_int_eq(rmdir(path), 0);
}

static void
save(const void *octets, size_t len)
{
	FILE *f;

	/* A file cut to nothing and written again may wait for the disk. */
	unlink(path);
	f = fopen(path, "wb");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(octets, 1, len, f), len);
	ck_assert_int_eq(fclose(f), 0);
}

/* Check that the readers agree on the saved file; the rest tells where. */
static void
agree(const char *filter, const char *name, const char *what, size_t at)
{
	const char *differs = readers_differ(path, filter);

	ck_assert_msg(
	    differs == NULL, "%s, %s %zu: %s differ", name, what, at, differs);
}

/* --- the captures of tests/pcap --- */

typedef void capture_fn(const char *name, uint8_t *octets, size_t len);

static void
with_capture(const char *directory, const char *name, capture_fn *use)
{
	static uint8_t octets[CAPTURE_FILE_MAX];
	char from[4096];
	size_t len;
	FILE *f;

	(void)snprintf(from, sizeof(from), "%s/%s", directory, name);
	f = fopen(from, "rb");
	ck_assert_ptr_nonnull(f);
	len = fread(octets, 1, sizeof(octets), f);
	(void)fclose(f);
	ck_assert_uint_lt(len, sizeof(octets));
	save(octets, len);
	use(name, octets, len);
}

/* Use each capture, saved and in memory. */
static void
with_captures(capture_fn *use)
{
	const char *directory = getenv("SOFTPROBE_PCAPS");
	struct dirent *entry;
	unsigned captures = 0;
	DIR *dir;

	if (directory == NULL)
		directory = "tests/pcap";
	dir = opendir(directory);
	ck_assert_msg(dir != NULL, "%s: cannot open", directory);
	while ((entry = readdir(dir)) != NULL) {
		if (strstr(entry->d_name, ".pcap") == NULL)
			continue;
		with_capture(directory, entry->d_name, use);
		captures++;
	}
	closedir(dir);
	ck_assert_uint_gt(captures, 0);
}

static void
whole(const char *name, uint8_t *octets, size_t len)
{
	static const char *const filters[] = { NULL, "ip", "udp or icmp6",
		"vlan", "greater 200", "ip[8] > 60", "tcp prot 80", "inbound",
		"ether host 1:2:3:4:5:6", "not ip and not ip6" };

	(void)octets;
	for (size_t i = 0; i < sizeof(filters) / sizeof(*filters); i++)
		agree(filters[i], name, "filter", i);
	ck_assert_uint_gt(len, HEADER_LEN);
}

UNIT(captures_are_the_same_with_every_filter)
{
	begin();
	with_captures(whole);
	end();
}
END_TEST

/* Every length of a small capture, and many of a large one. */
static void
truncated(const char *name, uint8_t *octets, size_t len)
{
	size_t step = len < 1000 ? 1 : len / 150;

	(void)octets;
	for (size_t at = len; at-- > 0;) {
		if (at > 100 && at % step != 0)
			continue;
		ck_assert_int_eq(truncate(path, (off_t)at), 0);
		agree(NULL, name, "cut to", at);
	}
}

UNIT(captures_cut_anywhere_are_the_same)
{
	begin();
	with_captures(truncated);
	end();
}
END_TEST

/* Each octet of the headers of the file and of its first record. */
static void
corrupted(const char *name, uint8_t *octets, size_t len)
{
	static const uint8_t wrong[] = { 0, 0xff, 0x7f, 1 };

	for (size_t at = 0; at < HEADER_LEN + 16 && at < len; at++) {
		uint8_t right = octets[at];

		for (size_t i = 0; i < sizeof(wrong); i++) {
			octets[at] = wrong[i];
			save(octets, len);
			agree(NULL, name, "octet", at);
		}
		octets[at] = right;
	}
}

UNIT(captures_with_damaged_headers_are_the_same)
{
	begin();
	with_captures(corrupted);
	end();
}
END_TEST

/* --- every variant of the format --- */

struct variant {
	uint32_t magic;
	bool big; /* byte order */
	uint16_t major, minor;
	uint32_t snaplen, link_type;
};

#define MICRO 0xa1b2c3d4
#define NANO 0xa1b23c4d
#define LONG 0xa1b2cd34

static struct {
	struct variant v;
	size_t len;
	uint8_t octet[FILE_MAX];
} file;

static void
put(uint64_t v, size_t n)
{
	ck_assert_uint_le(n, sizeof(file.octet) - file.len);
	for (size_t i = 0; i < n; i++) {
		size_t shift = 8 * (file.v.big ? n - 1 - i : i);

		file.octet[file.len++] = (uint8_t)(v >> shift);
	}
}

static void
head(struct variant v)
{
	file.v = v;
	file.len = 0;
	put(v.magic, 4);
	put(v.major, 2);
	put(v.minor, 2);
	put(0, 8);
	put(v.snaplen, 4);
	put(v.link_type, 4);
}

/* Versions before 2.3 have the lengths the other way round, some of 2.3 too. */
static void
record(uint32_t s, uint32_t fraction, const void *frame, uint32_t caplen,
    uint32_t wirelen)
{
	bool swap = file.v.minor < 3 || (file.v.minor == 3 && s % 2 == 1);

	put(s, 4);
	put(fraction, 4);
	put(swap ? wirelen : caplen, 4);
	put(swap ? caplen : wirelen, 4);
	if (file.v.magic == LONG)
		put(0, 8);
	ck_assert_uint_le(caplen, sizeof(file.octet) - file.len);
	memcpy(file.octet + file.len, frame, caplen);
	file.len += caplen;
}

static void
save_file(void)
{
	save(file.octet, file.len);
}

/* Write the records of a little-endian capture in another variant. */
static void
convert(struct variant v, const uint8_t *octets, size_t len)
{
	struct rbuf r = rb_init(octets, len);
	bool nano = rb_le32(&r) == NANO;

	rb_take(&r, 16);
	if (v.link_type == UINT32_MAX)
		v.link_type = rb_le32(&r);
	else
		rb_take(&r, 4);
	head(v);
	while (rb_left(&r) > 0) {
		uint32_t s = rb_le32(&r), fraction = rb_le32(&r);
		uint32_t caplen = rb_le32(&r), wirelen = rb_le32(&r);
		const uint8_t *frame = rb_take(&r, caplen);

		if (frame == NULL)
			break;
		if (nano && v.magic != NANO)
			fraction /= 1000;
		record(s, fraction, frame, caplen, wirelen);
	}
	save_file();
}

static bool
is_little_classic(const uint8_t *octets)
{
	struct rbuf r = rb_init(octets, 4);
	uint32_t magic = rb_le32(&r);

	return magic == MICRO || magic == NANO;
}

static const uint32_t variant_magics[] = { MICRO, NANO, LONG };
static const uint16_t versions[][2] = { { 2, 4 }, { 2, 3 }, { 2, 2 },
	{ 543, 0 }, { 2, 5 }, { 1, 0 } };

/* The k-th combination of magic number, byte order and version. */
#define VARIANTS 36
static struct variant
variant(size_t k)
{
	return (struct variant){
		.magic = variant_magics[k % 3],
		.big = k / 3 % 2 == 1,
		.major = versions[k / 6][0],
		.minor = versions[k / 6][1],
		.snaplen = 65535,
		.link_type = UINT32_MAX, /* as it is */
	};
}

static void
converted(const char *name, uint8_t *octets, size_t len)
{
	static const uint32_t snaplens[] = { 65535, 0, 1, 60, INT32_MAX,
		UINT32_MAX };

	if (!is_little_classic(octets))
		return;
	for (size_t k = 0; k < VARIANTS; k++) {
		for (size_t i = 0; i < 6; i++) {
			struct variant v = variant(k);

			v.snaplen = snaplens[i];
			convert(v, octets, len);
			agree(NULL, name, "variant", 10 * k + i);
		}
		agree("ip", name, "filtered variant", k);
	}
}

UNIT(captures_in_every_variant_are_the_same)
{
	begin();
	with_captures(converted);
	end();
}
END_TEST

/* Frames of one capture under every link type, with and without FCS bits. */
static void
relabelled(const char *name, uint8_t *octets, size_t len)
{
	if (strstr(name, "nano") == NULL && strstr(name, "sll") == NULL)
		return;
	for (uint32_t i = 0; i < 3 * 300; i++) {
		static const uint32_t upper[] = { 0, 0x44000000, 0xfc000000 };
		struct variant v = variant(i % 6);

		v.link_type = i / 3 | upper[i % 3];
		convert(v, octets, len);
		agree(NULL, name, "link type", v.link_type);
		v.big = !v.big;
		convert(v, octets, len);
		agree("ip", name, "link type", v.link_type);
	}
}

UNIT(every_link_type_is_read_the_same_in_either_byte_order)
{
	begin();
	with_captures(relabelled);
	end();
}
END_TEST

/* --- files made here --- */

static const uint8_t udp_frame[FRAME_LEN] = {
	2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0,          /* Ethernet II */
	0x45, 0, 0, 32, 0, 0, 0, 0, 64, 17, 0, 0,          /* IPv4 */
	10, 0, 0, 1, 10, 0, 0, 2,                          /* from, to */
	0x04, 0xd2, 0, 53, 0, 12, 0, 0, 'd', 'a', 't', 'a' /* UDP */
};

/* What the own reader gives of the saved file. */
static struct outcome
own_outcome(void)
{
	struct outcome o = outcome_of(path, NULL, false);

	ck_assert_msg(o.opened, "%s", o.error);
	return o;
}

static void
expect_same(const struct outcome *a, const struct outcome *b)
{
	const char *differs = difference(a, b);

	ck_assert_msg(differs == NULL, "%s differ", differs);
}

static void
head_ethernet(size_t k)
{
	struct variant v = variant(k);

	v.link_type = ETHERNET;
	head(v);
}

/*
 * The own reader's words for a cut file differ from libpcap's, which shows
 * that it was at work.
 */
UNIT(every_variant_is_read_by_the_own_reader)
{
	begin();
	for (size_t k = 0; k < 24; k++) {
		struct outcome o;

		head_ethernet(k);
		record(1, 2, udp_frame, FRAME_LEN, 60);
		record(3, 4, udp_frame, FRAME_LEN, 60);
		file.len--;
		save_file();
		o = own_outcome();
		ck_assert_int_eq(o.result, CAPTURE_ERROR);
		ck_assert_ptr_nonnull(strstr(o.error,
		    ": damaged after 1 packets: ends inside a record"));
		ck_assert_uint_eq(o.n, 1);
		ck_assert_uint_eq(o.stats.frame_octets, 60);
		ck_assert_uint_eq(o.packet[0].time_ns,
		    1000000000 + (file.v.magic == NANO ? 2 : 2000));
		free(o.packet);
		o = outcome_of(path, NULL, true);
		ck_assert_int_eq(o.result, CAPTURE_ERROR);
		ck_assert_ptr_null(strstr(o.error, "ends inside"));
		free(o.packet);
	}
	end();
}
END_TEST

UNIT(damage_is_named_and_nothing_is_read_behind_it)
{
	static const char frame[PCAPFILE_CAPLEN_MAX + 1];
	struct capture_config config = { .snaplen = 128 };
	char errbuf[CAPTURE_ERROR_LEN];
	struct outcome o = { 0 };
	struct capture *c;

	begin();
	head_ethernet(0);
	file.octet[18] = 0xff; /* snap length: above all */
	record(1, 0, frame, PCAPFILE_CAPLEN_MAX, PCAPFILE_CAPLEN_MAX);
	record(1, 0, frame, PCAPFILE_CAPLEN_MAX + 1, PCAPFILE_CAPLEN_MAX + 1);
	record(1, 0, udp_frame, FRAME_LEN, FRAME_LEN);
	save_file();
	agree(NULL, "longest record", "", 0);
	c = capture_open_file(path, 0, &config, NULL, errbuf);
	ck_assert_ptr_nonnull(c);
	while (capture_read(c, 0, outcome_burst, &o) == CAPTURE_MORE)
		continue;
	ck_assert_ptr_nonnull(
	    strstr(capture_error(c), ": a record is longer than any packet"));
	ck_assert_int_eq(capture_read(c, 0, outcome_burst, &o), CAPTURE_ERROR);
	ck_assert_uint_eq(capture_stats(c)->frames, 1);
	capture_close(c);
	head_ethernet(0);
	record(1, 0, udp_frame, FRAME_LEN, FRAME_LEN);
	put(1, 4);
	save_file();
	o = own_outcome();
	ck_assert_ptr_nonnull(
	    strstr(o.error, ": ends inside a record's header"));
	free(o.packet);
	end();
}
END_TEST

/*
 * Attributes have the byte order of the host that wrote them, and libpcap
 * brings them into this one's: a filter can tell.
 */
UNIT(nflog_is_read_in_either_byte_order)
{
	const uint8_t *datagram = udp_frame + 14;

	begin();
	for (size_t k = 0; k < 6; k += 3) {
		struct variant v = variant(k);
		uint8_t frame[40] = { 2, 0, 0, 0 }; /* IPv4, version 0 */
		struct outcome o;

		frame[v.big ? 5 : 4] = 36; /* length of the attribute */
		frame[v.big ? 7 : 6] = 9;  /* NFULA_PAYLOAD */
		memcpy(frame + 8, datagram, 32);
		v.link_type = 239;
		head(v);
		record(1, 0, frame, sizeof(frame), sizeof(frame));
		save_file();
		agree(NULL, "NFLOG", "variant", k);
		agree("link[4] = 36", "NFLOG, filtered", "variant", k);
		o = own_outcome();
		ck_assert_uint_eq(o.n, 1);
		free(o.packet);
	}
	end();
}
END_TEST

/* The records of some link types that are not decoded may be longer. */
UNIT(long_records_of_other_link_types_are_the_same)
{
	static const char frame[2 * PCAPFILE_CAPLEN_MAX];
	static const uint32_t dbus = 231;
	struct variant v = variant(0);
	struct outcome o;

	begin();
	v.link_type = dbus;
	v.snaplen = sizeof(frame);
	head(v);
	record(1, 0, frame, sizeof(frame), sizeof(frame));
	save_file();
	agree(NULL, "D-Bus", "", 0);
	o = own_outcome();
	ck_assert_uint_eq(o.stats.frames, 1);
	free(o.packet);
	end();
}
END_TEST

UNIT(times_that_no_clock_says_are_the_same)
{
	static const uint32_t seconds[] = { 0, 1, INT32_MAX,
		(uint32_t)INT32_MAX + 1, UINT32_MAX };
	static const uint32_t fractions[] = { 0, 999999, 1000000, 999999999,
		1000000000, INT32_MAX, (uint32_t)INT32_MAX + 1, UINT32_MAX };

	begin();
	for (size_t k = 0; k < 6; k++) {
		head_ethernet(k);
		for (size_t i = 0; i < (size_t)5 * 8; i++)
			record(seconds[i / 8], fractions[i % 8], udp_frame,
			    FRAME_LEN, FRAME_LEN);
		save_file();
		agree(NULL, "times", "variant", k);
	}
	end();
}
END_TEST

/* Records of all lengths, over several times the reader's buffer. */
static void
fill_large(size_t k)
{
	static uint8_t frame[PCAPFILE_CAPLEN_MAX];
	uint32_t x = 1;

	/* Octets that repeat nowhere near. */
	for (size_t i = 0; i < sizeof(frame); i++) {
		x = x * 1664525 + 1013904223;
		frame[i] = (uint8_t)(x >> 24);
	}
	memcpy(frame, udp_frame, FRAME_LEN);
	head_ethernet(k);
	while (file.len < FILE_MAX - PCAPFILE_CAPLEN_MAX - 100) {
		uint32_t len;

		x = x * 1664525 + 1013904223;
		len = x >> 30 == 0   ? x >> 8 & 0x3ffff
		      : x >> 30 == 1 ? x >> 8 & 0x3ff
				     : x >> 8 & 0x3f;
		record(x & 0xffff, x >> 16, frame, len, len + (x >> 28));
	}
	save_file();
}

UNIT(records_across_the_ends_of_the_buffer_are_the_same)
{
	begin();
	for (size_t k = 0; k < 12; k++) {
		fill_large(k);
		agree(NULL, "large file", "variant", k);
	}
	end();
}
END_TEST

/* A filter that nothing passes must not keep the caller from its turn. */
UNIT(caller_gets_control_although_no_record_passes_the_filter)
{
	struct capture_config config = { .snaplen = 128, .filter = "arp" };
	char errbuf[CAPTURE_ERROR_LEN];
	struct outcome o = { 0 };
	struct capture *c;

	begin();
	head_ethernet(0);
	for (uint32_t i = 0; i < 3000; i++)
		record(1, i, udp_frame, FRAME_LEN, FRAME_LEN);
	save_file();
	c = capture_open_file(path, 0, &config, NULL, errbuf);
	ck_assert_ptr_nonnull(c);
	ck_assert_int_eq(capture_read(c, 0, outcome_burst, &o), CAPTURE_MORE);
	while (capture_read(c, 0, outcome_burst, &o) == CAPTURE_MORE)
		continue;
	ck_assert_uint_eq(capture_stats(c)->frames, 0);
	capture_close(c);
	end();
}
END_TEST

UNIT(stop_ends_a_file_without_calling_it_damaged)
{
	struct capture_config config = { .snaplen = 128 };
	char errbuf[CAPTURE_ERROR_LEN];
	enum capture_result result;
	struct outcome o = { 0 };
	struct input_waiter waiter = { 0 };
	struct wake stop;
	struct capture *c;

	begin();
	fill_large(0);
	ck_assert_int_eq(wake_init(&stop), 0);
	waiter.stop = &stop;
	c = capture_open_file(path, 0, &config, &waiter, errbuf);
	ck_assert_ptr_nonnull(c);
	wake_ring(&stop);
	do
		result = capture_read(c, 0, outcome_burst, &o);
	while (result == CAPTURE_MORE);
	ck_assert_int_eq(result, CAPTURE_END);
	ck_assert_int_lt(capture_permille(c), 500);
	capture_close(c);
	wake_close(&stop);
	free(o.packet);
	end();
}
END_TEST

/* --- other sources of the same octets --- */

#ifdef HAVE_ZLIB
UNIT(gzipped_file_is_read_by_the_own_reader)
{
	struct outcome plain, gzipped;
	gzFile f;

	begin();
	fill_large(1);
	file.len -= 10;
	save_file();
	plain = own_outcome();
	f = gzopen(path, "wb1");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(
	    gzwrite(f, file.octet, (unsigned)file.len), (int)file.len);
	ck_assert_int_eq(gzclose(f), Z_OK);
	agree(NULL, "gzip'd file", "", 0);
	gzipped = own_outcome();
	expect_same(&plain, &gzipped);
	ck_assert_ptr_nonnull(strstr(gzipped.error, "ends inside a record"));
	free(plain.packet);
	free(gzipped.packet);
	end();
}
END_TEST
/* However much one read asks for, what is good before the damage is given. */
UNIT(damaged_gzip_files_are_the_same)
{
	static uint8_t zipped[FILE_MAX];
	struct outcome o;
	size_t len;
	gzFile gz;
	FILE *f;

	begin();
	fill_large(0);
	gz = gzopen(path, "wb1");
	ck_assert_ptr_nonnull(gz);
	ck_assert_int_eq(
	    gzwrite(gz, file.octet, (unsigned)file.len), (int)file.len);
	ck_assert_int_eq(gzclose(gz), Z_OK);
	f = fopen(path, "rb");
	ck_assert_ptr_nonnull(f);
	len = fread(zipped, 1, sizeof(zipped), f);
	ck_assert_int_eq(fclose(f), 0);
	for (size_t at = len / 10; at < len; at += len / 10) {
		zipped[at] ^= 0x55;
		save(zipped, len);
		agree(NULL, "gzip'd file", "damaged at", at);
		o = own_outcome();
		ck_assert_int_eq(o.result, CAPTURE_ERROR);
		free(o.packet);
		zipped[at] ^= 0x55;
		save(zipped, at);
		agree(NULL, "gzip'd file", "cut at", at);
	}
	end();
}
END_TEST
#define GZIP_TESTS                                                             \
	gzipped_file_is_read_by_the_own_reader, damaged_gzip_files_are_the_same,
#else
#define GZIP_TESTS
#endif

/* Write the file to a pipe in pieces of many lengths. */
static void *
feed_pipe(void *arg)
{
	const int *fd = arg;
	size_t n, at = 0, piece = 1;

	for (; at < file.len; at += n) {
		piece = piece * 7 % 9973;
		n = at + piece > file.len ? file.len - at : piece;
		if (write(*fd, file.octet + at, n) != (ssize_t)n)
			break;
	}
	close(*fd);
	return NULL;
}

UNIT(pipe_of_torn_records_is_read_by_the_own_reader)
{
	struct outcome plain, piped;
	pthread_t thread;
	int fd[2];

	begin();
	fill_large(4);
	file.len -= 10;
	save_file();
	plain = own_outcome();
	ck_assert_int_eq(pipe(fd), 0);
	ck_assert_int_eq(dup2(fd[0], STDIN_FILENO), STDIN_FILENO);
	close(fd[0]);
	ck_assert_int_eq(pthread_create(&thread, NULL, feed_pipe, &fd[1]), 0);
	piped = outcome_of("-", NULL, false);
	close(STDIN_FILENO);
	pthread_join(thread, NULL);
	expect_same(&plain, &piped);
	ck_assert_ptr_nonnull(strstr(piped.error, "ends inside a record"));
	free(plain.packet);
	free(piped.packet);
	end();
}
END_TEST

UNIT_MAIN("pcapfile", captures_are_the_same_with_every_filter,
    captures_cut_anywhere_are_the_same,
    captures_with_damaged_headers_are_the_same,
    captures_in_every_variant_are_the_same,
    every_link_type_is_read_the_same_in_either_byte_order,
    every_variant_is_read_by_the_own_reader,
    damage_is_named_and_nothing_is_read_behind_it,
    nflog_is_read_in_either_byte_order,
    long_records_of_other_link_types_are_the_same,
    times_that_no_clock_says_are_the_same,
    records_across_the_ends_of_the_buffer_are_the_same,
    caller_gets_control_although_no_record_passes_the_filter,
    stop_ends_a_file_without_calling_it_damaged,
    GZIP_TESTS pipe_of_torn_records_is_read_by_the_own_reader)

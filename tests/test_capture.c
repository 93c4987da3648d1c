/* SPDX-License-Identifier: ISC */
/*
 * test_capture.c - capture files of every format, whole and damaged, and the
 * timeline they give.  The files are put together here, octet by octet.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#ifdef HAVE_ZLIB
#include <zlib.h>
#endif

#include "capture.h"
#include "input.h"
#include "unit.h"
#include "wake.h"

#define NS UINT64_C(1000000000)
#define FRAME_LEN 46 /* of a UDP packet, below */
#define SEEN_MAX 5000
#define ETHERNET 1
#define USER0 147 /* a link type that nobody decodes */

static char path[] = "/tmp/softprobe-capture-XXXXXX/file";
static const struct capture_config config = { .snaplen = 128 };
static char errbuf[CAPTURE_ERROR_LEN];

/* What the Metering Process was handed. */
static struct {
	size_t n, bursts;
	uint64_t time_ns[SEEN_MAX], clock_ns[SEEN_MAX];
	uint32_t ifindex;
} seen;

static void
begin(void)
{
	char *slash = strrchr(path, '/');

	*slash = '\0';
	ck_assert_ptr_nonnull(mkdtemp(path));
	*slash = '/';
	memset(&seen, 0, sizeof(seen));
}

static void
end(void)
{
	unlink(path);
	*strrchr(path, '/') = '\0';
	ck_assert_int_eq(rmdir(path), 0);
}

/* --- writing --- */

struct format {
	bool big; /* byte order of the file */
	bool nano;
	bool ng;
};

static struct {
	struct format format;
	uint8_t octet[400000];
	size_t len;
} file;

static void
put(uint64_t v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t shift = 8 * (file.format.big ? n - 1 - i : i);

		ck_assert_uint_lt(file.len, sizeof(file.octet));
		file.octet[file.len++] = (uint8_t)(v >> shift);
	}
}

static void
put_octets(const void *octets, size_t n)
{
	ck_assert_uint_le(n, sizeof(file.octet) - file.len);
	memcpy(file.octet + file.len, octets, n);
	file.len += n;
}

static void
head_ng(uint16_t link_type)
{
	put(0x0a0d0d0a, 4); /* Section Header Block */
	put(28, 4);
	put(0x1a2b3c4d, 4);
	put(1, 2);
	put(0, 2);
	put(UINT64_MAX, 8);
	put(28, 4);
	put(1, 4); /* Interface Description Block */
	put(32, 4);
	put(link_type, 2);
	put(0, 2);
	put(0, 4);
	put(9, 2); /* if_tsresol: a power of ten */
	put(1, 2);
	put_octets(file.format.nano ? "\x09\0\0\0" : "\x06\0\0\0", 4);
	put(0, 4); /* opt_endofopt */
	put(32, 4);
}

static void
head(struct format format, uint16_t link_type)
{
	file.format = format;
	file.len = 0;
	if (format.ng) {
		head_ng(link_type);
		return;
	}
	put(format.nano ? 0xa1b23c4d : 0xa1b2c3d4, 4);
	put(2, 2);
	put(4, 2);
	put(0, 8);
	put(65535, 4);
	put(link_type, 4);
}

/* Append a frame; fraction is in the file's unit. */
static void
record(uint64_t s, uint32_t fraction, const void *frame, uint32_t caplen,
    uint32_t len)
{
	uint64_t ticks = s * (file.format.nano ? NS : 1000000) + fraction;
	uint32_t padded = (caplen + 3) & ~UINT32_C(3);

	if (file.format.ng) {
		put(6, 4); /* Enhanced Packet Block */
		put(32 + padded, 4);
		put(0, 4);
		put(ticks >> 32, 4);
		put(ticks & UINT32_MAX, 4);
	} else {
		put(s, 4);
		put(fraction, 4);
	}
	put(caplen, 4);
	put(len, 4);
	put_octets(frame, caplen);
	if (file.format.ng) {
		put_octets("\0\0\0", padded - caplen);
		put(32 + padded, 4);
	}
}

static const uint8_t udp_frame[FRAME_LEN] = {
	2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0,          /* Ethernet II */
	0x45, 0, 0, 32, 0, 0, 0, 0, 64, 17, 0, 0,          /* IPv4 */
	10, 0, 0, 1, 10, 0, 0, 2,                          /* from, to */
	0x04, 0xd2, 0, 53, 0, 12, 0, 0, 'd', 'a', 't', 'a' /* UDP */
};

static void
packet(uint64_t s, uint32_t fraction)
{
	record(s, fraction, udp_frame, FRAME_LEN, FRAME_LEN);
}

/* A frame of another network-layer protocol. */
static void
alien(uint16_t ethertype)
{
	uint8_t frame[FRAME_LEN];

	memcpy(frame, udp_frame, FRAME_LEN);
	frame[12] = (uint8_t)(ethertype >> 8);
	frame[13] = (uint8_t)ethertype;
	record(1, 0, frame, FRAME_LEN, FRAME_LEN);
}

static void
save(void)
{
	FILE *f = fopen(path, "wb");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(file.octet, 1, file.len, f), file.len);
	ck_assert_int_eq(fclose(f), 0);
}

/* --- reading --- */

static void
on_burst(struct packet *p, struct packet_extra *extra, size_t n, void *arg)
{
	(void)arg;
	ck_assert_ptr_null(extra);
	ck_assert_uint_gt(n, 0);
	ck_assert_uint_le(n, CAPTURE_BURST);
	seen.bursts++;
	for (size_t i = 0; i < n; i++, seen.n++) {
		ck_assert_uint_lt(seen.n, SEEN_MAX);
		seen.time_ns[seen.n] = p[i].time_ns;
		seen.clock_ns[seen.n] = p[i].clock_ns;
		seen.ifindex = p[i].ifindex;
		if (seen.n > 0)
			ck_assert_uint_ge(
			    seen.clock_ns[seen.n], seen.clock_ns[seen.n - 1]);
	}
}

static void
check_sums(const struct capture_stats *s)
{
	uint64_t sum = s->packets + s->gathering_off;
	uint64_t types = s->ethertype_other;

	for (size_t i = 0; i < DECODE_STATUSES; i++)
		sum += s->discard[i];
	for (size_t i = 0; i < CAPTURE_ETHERTYPES; i++)
		types += s->ethertype[i].frames;
	ck_assert_uint_eq(s->discard[DECODE_OK], 0);
	ck_assert_uint_eq(s->frames, sum);
	ck_assert_uint_eq(
	    types, s->discard[DISCARD_ETHERTYPE] + s->discard[DISCARD_ARP]);
}

/* Read on to the end, and check that it comes as it should. */
static void
read_to(struct capture *c, enum capture_result wanted)
{
	enum capture_result result;

	do
		result = capture_read(c, 0, on_burst, NULL);
	while (result == CAPTURE_MORE);
	ck_assert_int_eq(result, wanted);
	check_sums(capture_stats(c));
}

static struct capture *
open_saved(void)
{
	struct capture *c;

	save();
	c = capture_open_file(path, 0, &config, NULL, errbuf);
	ck_assert_msg(c != NULL, "%s", errbuf);
	return c;
}

static void
read_whole(void)
{
	struct capture *c = open_saved();

	read_to(c, CAPTURE_END);
	ck_assert_uint_eq(capture_stats(c)->packets, seen.n);
	capture_close(c);
}

/* Check the time and the clock of the i-th packet; ns since 1970. */
static void
check_times(size_t i, uint64_t time_ns, uint64_t clock_ns)
{
	ck_assert_uint_gt(seen.n, i);
	ck_assert_uint_eq(seen.time_ns[i], time_ns);
	ck_assert_uint_eq(seen.clock_ns[i], clock_ns);
}

static const struct format us = { 0 }, ns = { .nano = true },
			   ng = { .ng = true, .nano = true };

/* --- formats --- */

UNIT(both_formats_are_read_in_either_byte_order_and_precision)
{
	begin();
	for (unsigned i = 0; i < 8; i++) {
		struct format f = { i & 1, i & 2, i & 4 };
		uint64_t unit_ns = f.nano ? 1 : 1000;

		seen.n = 0;
		head(f, ETHERNET);
		packet(1500000000, 0);
		packet(1500000000, 123456);
		packet(1500000007, 999999);
		read_whole();
		ck_assert_uint_eq(seen.n, 3);
		for (size_t k = 0; k < 3; k++) {
			static const uint64_t s[] = { 1500000000, 1500000000,
				1500000007 };
			static const uint64_t part[] = { 0, 123456, 999999 };
			uint64_t t = s[k] * NS + part[k] * unit_ns;

			check_times(k, t, t);
		}
	}
	end();
}
END_TEST

UNIT(packets_come_in_bursts_and_the_caller_gets_control)
{
	struct capture *c;
	uint64_t packets;

	begin();
	head(us, ETHERNET);
	for (uint32_t i = 0; i < 3000; i++)
		packet(1000, i);
	c = open_saved();
	ck_assert_int_eq(capture_read(c, 0, on_burst, NULL), CAPTURE_MORE);
	packets = capture_stats(c)->packets;
	ck_assert_uint_ge(packets, CAPTURE_BURST);
	ck_assert_uint_lt(packets, 3000);
	ck_assert_uint_eq(seen.n, packets);
	ck_assert_int_lt(capture_permille(c), 1001);
	read_to(c, CAPTURE_END);
	ck_assert_uint_eq(seen.n, 3000);
	ck_assert_uint_le(seen.bursts, 3000 / CAPTURE_BURST + 5);
	for (size_t i = 0; i < 3000; i++)
		ck_assert_uint_eq(seen.time_ns[i], 1000 * NS + i * 1000);
	ck_assert_int_eq(capture_permille(c), 1000);
	capture_close(c);
	end();
}
END_TEST

UNIT(filter_chooses_what_is_seen)
{
	struct capture_config filtered = config;
	struct capture *c;

	begin();
	head(us, ETHERNET);
	packet(1, 0);
	alien(0x0806);
	save();
	filtered.filter = "arp";
	c = capture_open_file(path, 0, &filtered, NULL, errbuf);
	ck_assert_ptr_nonnull(c);
	read_to(c, CAPTURE_END);
	ck_assert_uint_eq(capture_stats(c)->frames, 1);
	ck_assert_uint_eq(capture_stats(c)->discard[DISCARD_ARP], 1);
	capture_close(c);
	filtered.filter = "tcp prot 80";
	c = capture_open_file(path, 0, &filtered, NULL, errbuf);
	ck_assert_ptr_null(c);
	ck_assert_msg(
	    strstr(errbuf, "filter \"tcp prot 80\": ") == errbuf, "%s", errbuf);
	end();
}
END_TEST

UNIT(packets_bear_the_number_that_was_given)
{
	struct capture *c;

	begin();
	head(us, ETHERNET);
	packet(1, 0);
	save();
	c = capture_open_file(path, 7, &config, NULL, errbuf);
	ck_assert_ptr_nonnull(c);
	read_to(c, CAPTURE_END);
	ck_assert_uint_eq(seen.ifindex, 7);
	ck_assert_uint_eq(capture_ifindex(c), 7);
	ck_assert(!capture_is_live(c));
	ck_assert_str_eq(capture_name(c), path);
	capture_close(c);
	end();
}
END_TEST

/* --- accounting --- */

UNIT(every_frame_is_a_packet_or_one_named_discard)
{
	struct capture *c;
	const struct capture_stats *s;

	begin();
	head(us, ETHERNET);
	packet(1, 0);
	alien(0x0806);
	alien(0x88cc);
	alien(0x88cc);
	record(1, 0, udp_frame, 10, FRAME_LEN);
	record(1, 0, udp_frame, 20, FRAME_LEN);
	record(1, 0, udp_frame, 0, 0);
	record(1, 0, udp_frame, FRAME_LEN, 60);
	record(1, 0, udp_frame, FRAME_LEN, 20); /* captured more than sent */
	c = open_saved();
	read_to(c, CAPTURE_END);
	s = capture_stats(c);
	ck_assert_uint_eq(s->frames, 9);
	ck_assert_uint_eq(s->frame_octets, UINT64_C(6) * FRAME_LEN + 60 + 20);
	ck_assert_uint_eq(s->discard[DISCARD_ARP], 1);
	ck_assert_uint_eq(s->discard[DISCARD_ETHERTYPE], 2);
	ck_assert_uint_eq(s->discard[DISCARD_SHORT_LINK], 2);
	ck_assert_uint_ge(s->discard[DISCARD_SHORT_IP], 1);
	ck_assert_uint_eq(s->ethertype[0].type, 0x0806);
	ck_assert_uint_eq(s->ethertype[0].frames, 1);
	ck_assert_uint_eq(s->ethertype[1].type, 0x88cc);
	ck_assert_uint_eq(s->ethertype[1].frames, 2);
	capture_close(c);
	end();
}
END_TEST

UNIT(ethertypes_beyond_the_table_are_counted_as_other)
{
	struct capture_stats sum = { 0 };
	struct capture *c;

	begin();
	head(us, ETHERNET);
	for (uint16_t i = 0; i < CAPTURE_ETHERTYPES + 3; i++) {
		alien((uint16_t)(0x9001 + i));
		alien((uint16_t)(0x9001 + i));
	}
	c = open_saved();
	read_to(c, CAPTURE_END);
	ck_assert_uint_eq(
	    capture_stats(c)->ethertype[CAPTURE_ETHERTYPES - 1].frames, 2);
	ck_assert_uint_eq(capture_stats(c)->ethertype_other, 6);
	capture_stats_add(&sum, capture_stats(c));
	capture_stats_add(&sum, capture_stats(c));
	check_sums(&sum);
	ck_assert_uint_eq(sum.frames, UINT64_C(4) * (CAPTURE_ETHERTYPES + 3));
	ck_assert_uint_eq(sum.ethertype[3].type, 0x9004);
	ck_assert_uint_eq(sum.ethertype[3].frames, 4);
	capture_close(c);
	end();
}
END_TEST

UNIT(link_type_without_a_decoder_is_counted_not_refused)
{
	struct capture *c;

	begin();
	head(us, USER0);
	packet(1, 0);
	packet(2, 0);
	c = open_saved();
	read_to(c, CAPTURE_END);
	ck_assert_uint_eq(capture_stats(c)->discard[DISCARD_LINK_TYPE], 2);
	capture_close(c);
	end();
}
END_TEST

UNIT(frames_are_only_counted_while_gathering_is_off)
{
	struct capture *c;

	begin();
	head(us, ETHERNET);
	for (uint32_t i = 0; i < 3000; i++)
		packet(1000, i);
	c = open_saved();
	capture_gather(c, false);
	ck_assert_int_eq(capture_read(c, 0, on_burst, NULL), CAPTURE_MORE);
	ck_assert_uint_eq(seen.n, 0);
	capture_gather(c, true);
	read_to(c, CAPTURE_END);
	ck_assert_uint_gt(capture_stats(c)->gathering_off, 0);
	ck_assert_uint_eq(seen.n + capture_stats(c)->gathering_off, 3000);
	capture_close(c);
	end();
}
END_TEST

/* --- time --- */

UNIT(seconds_run_from_1970_to_2106)
{
	begin();
	head(ns, ETHERNET);
	packet(0, 0);
	packet(0, 1);
	packet(INT32_MAX, 5);
	packet(UINT64_C(1) << 31, 6); /* 2038 */
	packet(UINT32_MAX, 999999999);
	read_whole();
	check_times(0, 0, 0);
	check_times(1, 1, 1);
	check_times(2, INT32_MAX * NS + 5, INT32_MAX * NS + 5);
	check_times(3, (NS << 31) + 6, (NS << 31) + 6);
	check_times(4, UINT32_MAX * NS + NS - 1, UINT32_MAX * NS + NS - 1);
	end();
}
END_TEST

UNIT(a_fraction_beyond_the_second_is_its_last_nanosecond)
{
	static const uint32_t beyond[] = { 1000000000, INT32_MAX,
		(uint32_t)INT32_MAX + 1, UINT32_MAX };

	begin();
	head(ns, ETHERNET);
	for (size_t i = 0; i < 4; i++)
		packet(100 + i, beyond[i]);
	read_whole();
	for (size_t i = 0; i < 4; i++)
		ck_assert_uint_eq(seen.time_ns[i], (100 + i) * NS + NS - 1);
	end();
}
END_TEST

UNIT(pcapng_times_after_2106_are_its_last_second)
{
	begin();
	head(ng, ETHERNET);
	packet(UINT64_C(1) << 32, 0);
	packet(UINT64_MAX / NS, 0);
	read_whole();
	/* Where time_t has 32 bits, libpcap has cut off the others. */
	if (sizeof(time_t) > 4) {
		ck_assert_uint_eq(seen.time_ns[0] / NS, UINT32_MAX);
		ck_assert_uint_eq(seen.time_ns[1] / NS, UINT32_MAX);
	}
	ck_assert_uint_eq(seen.n, 2);
	end();
}
END_TEST

UNIT(clock_stands_still_for_packets_up_to_1_s_early)
{
	begin();
	head(ns, ETHERNET);
	packet(1000, 500);
	packet(999, 500); /* exactly 1 s */
	packet(1000, 499);
	packet(1000, 501);
	read_whole();
	check_times(1, 999 * NS + 500, 1000 * NS + 500);
	check_times(2, 1000 * NS + 499, 1000 * NS + 500);
	check_times(3, 1000 * NS + 501, 1000 * NS + 501);
	end();
}
END_TEST

UNIT(clock_goes_on_from_where_it_was_when_time_is_set_back)
{
	begin();
	head(ns, ETHERNET);
	packet(1000, 500);
	packet(900, 0);
	packet(905, 7);
	packet(800, 0);
	packet(803, 0);
	read_whole();
	check_times(1, 900 * NS, 1000 * NS + 500);
	check_times(2, 905 * NS + 7, 1005 * NS + 507);
	check_times(3, 800 * NS, 1005 * NS + 507);
	check_times(4, 803 * NS, 1008 * NS + 507);
	end();
}
END_TEST

/* on_burst checks that no clock is lower than the one before. */
UNIT(clock_never_runs_backwards_whatever_the_times)
{
	uint32_t x = 1;

	begin();
	head(ns, ETHERNET);
	for (uint32_t i = 0; i < 1000; i++) {
		x = x * 1664525 + 1013904223;
		packet(x, (uint32_t)(x * UINT64_C(2654435761) >> 32));
		packet(x + 1000000000, i);
		packet(i % 2 ? 0 : UINT32_MAX, i);
	}
	read_whole();
	ck_assert_uint_eq(seen.n, 3000);
	/* Room for any timeout is left at its end. */
	ck_assert_uint_le(seen.clock_ns[2999], UINT64_MAX / 2);
	end();
}
END_TEST

UNIT(files_that_continue_share_one_timeline)
{
	struct capture *first, *second;

	begin();
	head(ns, ETHERNET);
	packet(1000, 0);
	packet(2000, 0);
	first = open_saved();
	read_to(first, CAPTURE_END);
	head(us, ETHERNET);
	packet(1500, 0);
	packet(1510, 0);
	second = open_saved();
	capture_continue(second, first);
	capture_close(first);
	read_to(second, CAPTURE_END);
	check_times(2, 1500 * NS, 2000 * NS);
	check_times(3, 1510 * NS, 2010 * NS);
	capture_close(second);
	end();
}
END_TEST

/* --- damage --- */

UNIT(file_cut_anywhere_gives_its_good_packets_and_an_error)
{
	begin();
	for (unsigned i = 0; i < 2; i++) {
		struct format f = { .ng = i == 1 };
		size_t whole, header, each;

		head(f, ETHERNET);
		header = file.len;
		packet(1, 0);
		packet(2, 0);
		packet(3, 0);
		whole = file.len;
		each = (whole - header) / 3;
		for (file.len = header; file.len < whole; file.len++) {
			size_t into = (file.len - header) % each;
			struct capture *c = open_saved();

			seen.n = 0;
			read_to(c, into == 0 ? CAPTURE_END : CAPTURE_ERROR);
			ck_assert_uint_eq(seen.n, (file.len - header) / each);
			capture_close(c);
		}
	}
	end();
}
END_TEST

UNIT(damage_is_named_with_file_and_place)
{
	struct capture *c;
	char wanted[200];

	begin();
	head(us, ETHERNET);
	packet(1, 0);
	packet(2, 0);
	put(3, 4); /* a record that cannot be */
	put(0, 4);
	put(UINT32_MAX, 4);
	put(UINT32_MAX, 4);
	packet(4, 0);
	c = open_saved();
	read_to(c, CAPTURE_ERROR);
	ck_assert_uint_eq(seen.n, 2);
	(void)snprintf(
	    wanted, sizeof(wanted), "%s: damaged after 2 packets: ", path);
	ck_assert_msg(strstr(capture_error(c), wanted) == capture_error(c),
	    "%s", capture_error(c));
	capture_close(c);
	end();
}
END_TEST

UNIT(what_is_not_a_capture_is_refused_with_its_name)
{
	static const char *const garbage[] = { "", "abc",
		"This is a letter, and not a capture file at all.\n",
		"\xa1\xb2\xc3\xd4", "\x0a\x0d\x0d\x0a\x1c" };

	begin();
	for (size_t i = 0; i < 5; i++) {
		file.len = 0;
		put_octets(garbage[i], strlen(garbage[i]));
		save();
		ck_assert_ptr_null(
		    capture_open_file(path, 0, &config, NULL, errbuf));
		ck_assert_msg(
		    strstr(errbuf, path) == errbuf &&
			strstr(errbuf, ": not a capture file: ") != NULL,
		    "%s", errbuf);
	}
	ck_assert_ptr_null(
	    capture_open_file("/nowhere/at/all", 0, &config, NULL, errbuf));
	ck_assert_str_eq(errbuf, "/nowhere/at/all: No such file or directory");
	end();
}
END_TEST

#ifdef HAVE_ZLIB
UNIT(damaged_gzip_is_named)
{
	struct capture *c;
	struct stat st;
	gzFile f;

	begin();
	head(us, ETHERNET);
	packet(1, 0);
	packet(2, 0);
	f = gzopen(path, "wb");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(
	    gzwrite(f, file.octet, (unsigned)file.len), (int)file.len);
	ck_assert_int_eq(gzclose(f), Z_OK);
	c = capture_open_file(path, 0, &config, NULL, errbuf);
	ck_assert_ptr_nonnull(c);
	read_to(c, CAPTURE_END);
	capture_close(c);
	ck_assert_uint_eq(seen.n, 2);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(truncate(path, st.st_size - 1), 0);
	seen.n = 0;
	c = capture_open_file(path, 0, &config, NULL, errbuf);
	ck_assert_ptr_nonnull(c);
	read_to(c, CAPTURE_ERROR);
	ck_assert_msg(
	    strstr(capture_error(c), ": gzip data ends early") != NULL, "%s",
	    capture_error(c));
	capture_close(c);
	end();
}
END_TEST
#define GZIP_TESTS damaged_gzip_is_named,
#else
#define GZIP_TESTS
#endif

/* --- pipes --- */

static struct {
	int fd;
	const struct wake *stop; /* NULL: close the pipe */
	atomic_uint handed_over;
	bool prompt; /* all packets were handed over while the pipe was open */
} feed;

static void
count_burst(struct packet *p, struct packet_extra *extra, size_t n, void *arg)
{
	(void)p;
	(void)extra;
	(void)arg;
	atomic_fetch_add(&feed.handed_over, (unsigned)n);
}

/* Write the file to the pipe and leave it open until it is all seen. */
static void *
feed_pipe(void *arg)
{
	(void)arg;
	if (write(feed.fd, file.octet, file.len) != (ssize_t)file.len)
		return NULL;
	for (int i = 0; i < 1000 && !feed.prompt; i++) {
		usleep(5000);
		feed.prompt = atomic_load(&feed.handed_over) == 3;
	}
	if (feed.stop != NULL)
		wake_ring(feed.stop);
	else
		close(feed.fd);
	return NULL;
}

static void
read_pipe(const struct wake *stop)
{
	const struct input_waiter waiter = { .stop = stop };
	enum capture_result result;
	struct capture *c;
	pthread_t thread;
	int fd[2];

	ck_assert_int_eq(pipe(fd), 0);
	ck_assert_int_eq(dup2(fd[0], STDIN_FILENO), STDIN_FILENO);
	close(fd[0]);
	feed.fd = fd[1];
	feed.stop = stop;
	feed.prompt = false;
	atomic_store(&feed.handed_over, 0);
	head(us, ETHERNET);
	packet(1, 0);
	packet(2, 0);
	packet(3, 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, feed_pipe, NULL), 0);
	c = capture_open_file("-", 0, &config, &waiter, errbuf);
	ck_assert_msg(c != NULL, "%s", errbuf);
	ck_assert_int_eq(capture_permille(c), -1);
	do
		result = capture_read(c, 0, count_burst, NULL);
	while (result == CAPTURE_MORE);
	ck_assert_int_eq(result, CAPTURE_END);
	pthread_join(thread, NULL);
	ck_assert(feed.prompt);
	capture_close(c);
}

UNIT(packets_of_a_pipe_do_not_wait_for_later_ones)
{
	read_pipe(NULL);
}
END_TEST

UNIT(pipe_that_falls_silent_ends_when_stopped)
{
	struct wake stop;

	ck_assert_int_eq(wake_init(&stop), 0);
	read_pipe(&stop);
	wake_close(&stop);
	close(feed.fd);
}
END_TEST

/* --- interfaces --- */

UNIT(interface_that_is_not_there_is_named)
{
	bool missing = true;

	ck_assert_ptr_null(
	    capture_open_live("softprobe-nil", 0, &config, &missing, errbuf));
	ck_assert_msg(
	    strstr(errbuf, "softprobe-nil: ") == errbuf, "%s", errbuf);
	/* Without the right to capture, or in an emulator that cannot, that is
	 * what is told first. */
	ck_assert_int_eq(missing, strstr(errbuf, "(there are: ") != NULL);
	ck_assert(missing || strstr(errbuf, "capturing needs") != NULL ||
		  strstr(errbuf, strerror(ENOSYS)) != NULL);
}
END_TEST

UNIT(awaited_interface_counts_as_lost_until_it_is_there)
{
	struct capture *c = capture_await_live("softprobe-nil", 3, &config);

	ck_assert_ptr_nonnull(c);
	ck_assert(capture_is_live(c));
	ck_assert_int_eq(capture_fd(c), -1);
	ck_assert_int_eq(capture_poll_ms(c), -1);
	ck_assert_int_eq(capture_permille(c), -1);
	ck_assert_int_eq(capture_read(c, 0, on_burst, NULL), CAPTURE_LOST);
	ck_assert_int_eq(capture_reopen(c), -1);
	ck_assert_str_ne(capture_error(c), "");
	ck_assert_uint_eq(capture_stats(c)->reopened, 0);
	capture_poll_drops(c);
	capture_close(c);
	capture_close(NULL);
}
END_TEST

UNIT(interfaces_are_listed_by_name)
{
	char *list = capture_list_interfaces();

	ck_assert_ptr_nonnull(list);
	ck_assert_ptr_null(strchr(list, '\n'));
	free(list);
}
END_TEST

UNIT_MAIN("capture", both_formats_are_read_in_either_byte_order_and_precision,
    packets_come_in_bursts_and_the_caller_gets_control,
    filter_chooses_what_is_seen, packets_bear_the_number_that_was_given,
    every_frame_is_a_packet_or_one_named_discard,
    ethertypes_beyond_the_table_are_counted_as_other,
    link_type_without_a_decoder_is_counted_not_refused,
    frames_are_only_counted_while_gathering_is_off,
    seconds_run_from_1970_to_2106,
    a_fraction_beyond_the_second_is_its_last_nanosecond,
    pcapng_times_after_2106_are_its_last_second,
    clock_stands_still_for_packets_up_to_1_s_early,
    clock_goes_on_from_where_it_was_when_time_is_set_back,
    clock_never_runs_backwards_whatever_the_times,
    files_that_continue_share_one_timeline,
    file_cut_anywhere_gives_its_good_packets_and_an_error,
    damage_is_named_with_file_and_place,
    what_is_not_a_capture_is_refused_with_its_name,
    GZIP_TESTS packets_of_a_pipe_do_not_wait_for_later_ones,
    pipe_that_falls_silent_ends_when_stopped,
    interface_that_is_not_there_is_named,
    awaited_interface_counts_as_lost_until_it_is_there,
    interfaces_are_listed_by_name)

/* SPDX-License-Identifier: ISC */
/*
 * micro.c - what single modules cost, and the metering thread as a whole.
 *
 *	micro meter FILE FLOWS     file to ended flows: the metering thread
 *	micro path FILE FLOWS N    ... and their encoding as version N
 *	micro decode FILE          frames to packets
 *	micro cache FLOWS          packets to flows: new ones, and known ones
 *	micro encode N             records to messages of version N
 *	micro ring                 records through the ring, one thread
 *	micro size                 octets of memory for a flow
 *
 * One thread, no socket, CPU time only.  Each line printed is a name, a
 * figure and its unit.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "capture.h"
#include "flowtrack.h"
#include "fragment.h"
#include "ie.h"
#include "message.h"
#include "record.h"
#include "ring.h"

#define FRAGMENTS 1024
#define DLT_EN10MB 1
#define MTU 1400
#define RECORDS 2000000U
#define FRAMES 1024U
#define FILE_HEADER_LEN 24
#define RECORD_HEADER_LEN 16
#define SNAPLEN_MAX 96
#define EPOCH_NS (UINT64_C(1704067200) * NS_PER_S)

/* A message being filled, as an exporter does it but for sending. */
struct encoder {
	struct message message;
	struct template template[TEMPLATES];
	uint64_t messages, octets;
};

struct path {
	struct flowtrack *track;
	struct fragment_table *fragments;
	struct encoder *encoder; /* NULL: flows are dropped */
	uint64_t records;
};

static uint64_t
cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

static uint64_t
wall_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

static _Noreturn void
die(const char *why)
{
	fprintf(stderr, "micro: %s\n", why);
	exit(EXIT_FAILURE);
}

static void
say(const char *name, double figure, const char *unit)
{
	printf("%s\t%.2f\t%s\n", name, figure, unit);
}

/* softprobe's own defaults. */
static struct flowtrack_config
track_config(uint32_t flows)
{
	return (struct flowtrack_config){
		.max_flows = flows,
		.key = KEY_FULL,
		.octets_max = UINT64_MAX,
		.timeout_ms = { 60000, 60000, 10000, 10000, 60000, 60000,
		    300000, 1000 },
	};
}

/* Encoding ---------------------------------------------------------------- */

static struct encoder *
encoder_new(unsigned version)
{
	static const struct field_choice choice = { .unit = UNIT_MILLI };
	struct encoder *e = calloc(1, sizeof(*e));
	const struct dialect *d = dialect_for(version);

	if (e == NULL || d == NULL)
		die("no such version");
	if (d->has_sets)
		template_all(e->template, d->bit, &choice);
	else
		template_fixed(e->template, d->bit);
	message_begin(&e->message, d, MTU);
	e->message.boot_ns = EPOCH_NS;
	return e;
}

static void
finish_message(struct encoder *e)
{
	struct message *m = &e->message;

	m->time_ns = m->latest_ns;
	message_end(m);
	m->sequence += m->dialect->advance(m);
	e->messages++;
	e->octets += wb_len(&m->w);
	message_begin(m, m->dialect, MTU);
}

static void
encode_half(struct encoder *e, const struct flow_record *r)
{
	const struct template *t = e->template;

	if (e->message.dialect->has_sets)
		t += template_flavour(r);
	if (message_record(&e->message, t, r) == 0)
		return;
	finish_message(e);
	message_record(&e->message, t, r);
}

static void
encode(struct encoder *e, const struct flow_record *r)
{
	struct flow_record reverse;

	encode_half(e, r);
	if (r->rev.packets == 0)
		return;
	record_reverse(r, &reverse);
	encode_half(e, &reverse);
}

/* Every other record IPv6; the first two kinds of template. */
static struct flow_record
sample_record(uint32_t i)
{
	struct flow_record r = {
		.src_port = (uint16_t)i,
		.dst_port = 443,
		.protocol = 6,
		.ip_version = i % 64 < 32 ? 4 : 6,
		.end_reason = FLOW_END_IDLE,
		.ended_ns = EPOCH_NS + 60 * NS_PER_S,
		.fwd = { .ingress = 2,
		    .packets = i + 1,
		    .octets = i * UINT64_C(1000),
		    .start_ns = EPOCH_NS + i,
		    .end_ns = EPOCH_NS + i + NS_PER_S,
		    .tcp_flags = 0x1b },
	};

	memcpy(r.src, &i, sizeof(i));
	memcpy(r.dst, &i, sizeof(i));
	return r;
}

static void
bench_encode(unsigned version)
{
	enum { KINDS = 64 };
	struct encoder *e = encoder_new(version);
	struct flow_record record[KINDS];
	uint64_t before;

	for (uint32_t i = 0; i < KINDS; i++) {
		record[i] = sample_record(i);
		if (version == 5)
			record[i].ip_version = 4;
	}
	before = cpu_ns();
	for (uint32_t i = 0; i < RECORDS; i++)
		encode(e, &record[i % KINDS]);
	say("encode", (double)(cpu_ns() - before) / RECORDS, "ns/record");
	free(e);
}

static void
bench_ring(void)
{
	struct ring *ring = ring_new(1024, sizeof(struct flow_record));
	const struct flow_record r = sample_record(1), *out;
	uint64_t before = cpu_ns(), check = 0;
	size_t n;

	if (ring == NULL)
		die("out of memory");
	for (uint32_t i = 0; i < RECORDS; i++) {
		if (ring_push(ring, &r))
			continue;
		for (out = ring_peek(ring, &n); n > 0;
		     out = ring_peek(ring, &n)) {
			for (size_t j = 0; j < n; j++)
				check += out[j].fwd.packets;
			ring_release(ring, n);
		}
		ring_push(ring, &r);
	}
	say("ring", (double)(cpu_ns() - before) / RECORDS, "ns/record");
	if (check == 0)
		die("the ring gave nothing");
	ring_free(ring);
}

/* Decoding ---------------------------------------------------------------- */

struct frame {
	uint32_t caplen, wirelen;
	uint8_t octet[SNAPLEN_MAX];
};

/* The first frames of a file of the generator. */
static uint32_t
read_frames(const char *path, struct frame frame[FRAMES])
{
	FILE *in = fopen(path, "rb");
	uint32_t n = 0, header[RECORD_HEADER_LEN / 4];

	if (in == NULL || fseek(in, FILE_HEADER_LEN, SEEK_SET) != 0)
		die("cannot read the file");
	while (n < FRAMES && fread(header, sizeof(header), 1, in) == 1) {
		frame[n].caplen = header[2];
		frame[n].wirelen = header[3];
		if (frame[n].caplen > SNAPLEN_MAX ||
		    fread(frame[n].octet, frame[n].caplen, 1, in) != 1)
			break;
		n++;
	}
	fclose(in);
	return n;
}

static void
bench_decode(const char *path)
{
	static struct frame frame[FRAMES];
	enum { ROUNDS = 4000 };
	decode_fn *decode = decode_for(DLT_EN10MB);
	uint32_t n = read_frames(path, frame);
	uint64_t before, check = 0;
	struct packet p;

	if (n == 0)
		die("no frames");
	before = cpu_ns();
	for (int round = 0; round < ROUNDS; round++)
		for (uint32_t i = 0; i < n; i++) {
			decode(frame[i].octet, frame[i].caplen,
			    frame[i].wirelen, &p);
			check += p.octets;
		}
	say("decode", (double)(cpu_ns() - before) / ROUNDS / n, "ns/packet");
	if (check == 0)
		die("nothing was decoded");
}

/* The flow cache ---------------------------------------------------------- */

static void
drop_record(const struct flow_record *r, void *arg)
{
	uint64_t *records = arg;

	(void)r;
	(*records)++;
}

/* The packet of flow i: IPv4 UDP with an address of its own. */
static void
sample_packet(struct packet *p, uint32_t i, uint64_t time_ns)
{
	uint32_t scattered = i * UINT32_C(2654435761);

	memset(p, 0, sizeof(*p));
	memcpy(p->src, &scattered, sizeof(scattered));
	p->dst[0] = 192;
	p->src_port = 4000;
	p->dst_port = 53;
	p->protocol = 17;
	p->ip_version = 4;
	p->octets = 100;
	p->direction = DIRECTION_IN;
	p->time_ns = p->clock_ns = time_ns;
}

/* ns a packet for n packets of flows that next() names. */
static double
time_cache(struct flowtrack *ft, uint32_t n, uint32_t flows, uint64_t *draw)
{
	struct packet burst[CAPTURE_BURST];
	uint64_t total_ns = 0;

	for (uint32_t done = 0; done < n; done += CAPTURE_BURST) {
		uint64_t before;

		for (uint32_t j = 0; j < CAPTURE_BURST; j++) {
			uint32_t i = done + j;

			if (draw != NULL) {
				*draw =
				    *draw * UINT64_C(6364136223846793005) + 1;
				i = (uint32_t)((*draw >> 32) * flows >> 32);
			}
			sample_packet(&burst[j], i, EPOCH_NS + done);
		}
		before = wall_ns();
		flowtrack_add(ft, burst, NULL, CAPTURE_BURST);
		total_ns += wall_ns() - before;
	}
	return (double)total_ns / n;
}

static void
time_kind(uint32_t flows, bool router)
{
	uint32_t all = flows / CAPTURE_BURST * CAPTURE_BURST;
	struct flowtrack_config config = track_config(flows + CAPTURE_BURST);
	uint64_t records = 0, draw = 1;
	struct flowtrack *ft;

	config.router = router;
	ft = flowtrack_new(&config, drop_record, &records);
	if (ft == NULL)
		die("out of memory");
	say(router ? "new, of a router" : "new",
	    time_cache(ft, all, flows, NULL), "ns/packet");
	say(router ? "known, of a router" : "known",
	    time_cache(ft, 4000000, all, &draw), "ns/packet");
	flowtrack_free(ft);
}

static void
bench_cache(uint32_t flows)
{
	time_kind(flows, false);
	time_kind(flows, true);
}

/* The whole path ---------------------------------------------------------- */

static void
path_record(const struct flow_record *r, void *arg)
{
	struct path *p = arg;

	p->records++;
	if (p->encoder != NULL)
		encode(p->encoder, r);
}

/* As the metering thread does it. */
static void
path_burst(struct packet *p, struct packet_extra *extra, size_t n, void *arg)
{
	struct path *path = arg;

	for (size_t i = 0; i < n; i++)
		if (p[i].fragment != FRAGMENT_NONE)
			fragment_join(path->fragments, &p[i]);
	flowtrack_add(path->track, p, extra, n);
}

static void
bench_path(const char *file, uint32_t flows, unsigned version)
{
	const struct capture_config capture_config = { .snaplen = 128 };
	struct flowtrack_config config = track_config(flows);
	char errbuf[CAPTURE_ERROR_LEN];
	struct path path = { 0 };
	uint64_t before = cpu_ns(), packets;
	struct capture *c;
	uint32_t cursor = 0;

	path.encoder = version == 0 ? NULL : encoder_new(version);
	path.fragments = fragment_new(FRAGMENTS);
	path.track = flowtrack_new(&config, path_record, &path);
	c = capture_open_file(file, 0, &capture_config, NULL, errbuf);
	if (path.fragments == NULL || path.track == NULL || c == NULL)
		die(c == NULL ? errbuf : "out of memory");
	while (capture_read(c, 0, path_burst, &path) == CAPTURE_MORE)
		;
	flowtrack_sweep(path.track, SWEEP_END, &cursor, UINT32_MAX);
	packets = flowtrack_stats(path.track)->packets;
	say("packets", (double)packets, "");
	say("records", (double)path.records, "");
	if (packets == 0)
		die("no packets");
	say("path", (double)(cpu_ns() - before) / (double)packets, "ns/packet");
	capture_close(c);
	flowtrack_free(path.track);
	fragment_free(path.fragments);
	free(path.encoder);
}

static uint32_t
number(const char *text)
{
	uintmax_t n = strtoumax(text, NULL, 10);

	if (n == 0 || n > UINT32_MAX)
		die("a number is wanted");
	return (uint32_t)n;
}

static int
usage(void)
{
	fprintf(stderr, "usage: micro meter FILE FLOWS\n"
			"       micro path FILE FLOWS VERSION\n"
			"       micro decode FILE\n"
			"       micro cache FLOWS\n"
			"       micro encode VERSION\n"
			"       micro ring|size\n");
	return 2;
}

int
main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (strcmp(what, "meter") == 0 && argc == 4)
		bench_path(argv[2], number(argv[3]), 0);
	else if (strcmp(what, "path") == 0 && argc == 5)
		bench_path(argv[2], number(argv[3]), number(argv[4]));
	else if (strcmp(what, "decode") == 0 && argc == 3)
		bench_decode(argv[2]);
	else if (strcmp(what, "cache") == 0 && argc == 3)
		bench_cache(number(argv[2]));
	else if (strcmp(what, "encode") == 0 && argc == 3)
		bench_encode(number(argv[2]));
	else if (strcmp(what, "ring") == 0 && argc == 2)
		bench_ring();
	else if (strcmp(what, "size") == 0 && argc == 2)
		say("flow", (double)flowtrack_octets_per_flow(), "octets");
	else
		return usage();
	return EXIT_SUCCESS;
}

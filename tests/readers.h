/* SPDX-License-Identifier: ISC */
/*
 * readers.h - reads a capture file with either reader and compares what they
 * gave: every packet, the statistics, the result.  For a unit test and a
 * fuzzer.  Only the wording of what is damaged may differ.
 */
#ifndef READERS_H
#define READERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "capture.h"

/* What reading one file gave. */
struct outcome {
	bool opened;
	enum capture_result result; /* the last one */
	char error[CAPTURE_ERROR_LEN];
	struct capture_stats stats;
	size_t n, room;
	struct packet *packet;
};

static inline void
outcome_burst(struct packet *p, struct packet_extra *extra, size_t n, void *arg)
{
	struct outcome *o = arg;

	(void)extra;
	if (o->n + n > o->room) {
		o->room = 2 * (o->n + n);
		o->packet =
		    reallocarray(o->packet, o->room, sizeof(*o->packet));
		if (o->packet == NULL)
			abort();
	}
	memcpy(o->packet + o->n, p, n * sizeof(*p));
	o->n += n;
}

/* Read a whole file; free outcome.packet afterwards. */
static inline struct outcome
outcome_of(const char *path, const char *filter, bool libpcap_reader)
{
	struct capture_config config = { .filter = filter,
		.snaplen = 128,
		.libpcap_reader = libpcap_reader };
	struct outcome o = { 0 };
	struct capture *c = capture_open_file(path, 0, &config, NULL, o.error);

	if (c == NULL)
		return o;
	o.opened = true;
	do
		o.result = capture_read(c, 0, outcome_burst, &o);
	while (o.result == CAPTURE_MORE);
	o.stats = *capture_stats(c);
	strlcpy(o.error, capture_error(c), sizeof(o.error));
	capture_close(c);
	return o;
}

/*
 * Where a fraction of a second has 32 bits, libpcap makes nanoseconds of it
 * in these: one that no clock says wraps, and only the second is sure.
 */
static inline bool
same_time(uint64_t a_ns, uint64_t b_ns)
{
	const uint64_t sure_ns =
	    sizeof(((struct timeval *)0)->tv_usec) > 4 ? 1 : 1000000000;

	return (a_ns > b_ns ? a_ns - b_ns : b_ns - a_ns) < sure_ns;
}

static inline bool
same_packet(const struct packet *a, const struct packet *b)
{
	return same_time(a->time_ns, b->time_ns) &&
	       same_time(a->clock_ns, b->clock_ns) &&
	       memcmp(a->src, b->src, sizeof(a->src)) == 0 &&
	       memcmp(a->dst, b->dst, sizeof(a->dst)) == 0 &&
	       memcmp(a->src_mac, b->src_mac, sizeof(a->src_mac)) == 0 &&
	       memcmp(a->dst_mac, b->dst_mac, sizeof(a->dst_mac)) == 0 &&
	       a->octets == b->octets && a->fragment_id == b->fragment_id &&
	       a->ifindex == b->ifindex && a->src_port == b->src_port &&
	       a->dst_port == b->dst_port && a->tcp_flags == b->tcp_flags &&
	       a->vlan == b->vlan && a->ethertype == b->ethertype &&
	       a->protocol == b->protocol && a->ip_version == b->ip_version &&
	       a->tos == b->tos && a->fragment == b->fragment &&
	       a->notes == b->notes;
}

static inline bool
same_stats(const struct capture_stats *a, const struct capture_stats *b)
{
	bool same = a->frames == b->frames &&
		    a->frame_octets == b->frame_octets &&
		    a->packets == b->packets &&
		    memcmp(a->discard, b->discard, sizeof(a->discard)) == 0 &&
		    a->short_transport == b->short_transport &&
		    a->frame_length == b->frame_length &&
		    a->ethertype_other == b->ethertype_other;

	for (size_t i = 0; i < CAPTURE_ETHERTYPES; i++)
		same = same && a->ethertype[i].type == b->ethertype[i].type &&
		       a->ethertype[i].frames == b->ethertype[i].frames;
	return same;
}

/* Return what two outcomes differ in, or NULL. */
static inline const char *
difference(const struct outcome *a, const struct outcome *b)
{
	if (a->opened != b->opened)
		return "opening";
	if (!a->opened)
		return strcmp(a->error, b->error) != 0 ? "refusal" : NULL;
	if (a->n != b->n)
		return "number of packets";
	for (size_t i = 0; i < a->n; i++)
		if (!same_packet(&a->packet[i], &b->packet[i]))
			return "packets";
	if (!same_stats(&a->stats, &b->stats))
		return "statistics";
	return a->result != b->result ? "result" : NULL;
}

/* Return what the two readers of one file differ in, or NULL. */
static inline const char *
readers_differ(const char *path, const char *filter)
{
	struct outcome own = outcome_of(path, filter, false);
	struct outcome libpcap = outcome_of(path, filter, true);
	const char *what = difference(&own, &libpcap);

	free(own.packet);
	free(libpcap.packet);
	return what;
}

#endif

/* SPDX-License-Identifier: ISC */
/*
 * largest.c - the largest of all active flows; see largest.h.
 *
 * A heap whose root is the least flow that is kept, so that to look at another
 * one is one comparison, and log n if it is larger.
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>

#include "flowkey.h" /* protocol_is_icmp */
#include "largest.h"
#include "printer.h"
#include "record.h"

struct entry {
	uint64_t size;
	struct flow_record flow;
};

struct largest {
	size_t max, n;
	bool by_packets;
	uint64_t flows, octets, packets, newest_ns; /* of all looked at */
	struct entry heap[];
};

struct largest *
largest_new(size_t n, bool by_packets)
{
	struct largest *l = malloc(sizeof(*l) + n * sizeof(l->heap[0]));

	if (l != NULL)
		*l = (struct largest){ .max = n, .by_packets = by_packets };
	return l;
}

void
largest_free(struct largest *l)
{
	free(l);
}

static void
swap(struct entry *a, struct entry *b)
{
	struct entry c = *a;

	*a = *b;
	*b = c;
}

/* The entry at i is new: move it to the root while it is less. */
static void
rise(struct largest *l, size_t i)
{
	while (i > 0 && l->heap[i].size < l->heap[(i - 1) / 2].size) {
		swap(&l->heap[i], &l->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
}

/* The root is new: move it down while there is a less one below. */
static void
sink(struct largest *l)
{
	size_t i = 0, child;

	while ((child = 2 * i + 1) < l->n) {
		if (child + 1 < l->n &&
		    l->heap[child + 1].size < l->heap[child].size)
			child++;
		if (l->heap[i].size <= l->heap[child].size)
			return;
		swap(&l->heap[i], &l->heap[child]);
		i = child;
	}
}

void
largest_add(struct largest *l, const struct flow_record *r)
{
	uint64_t octets = r->fwd.octets + r->rev.octets;
	uint64_t packets = r->fwd.packets + r->rev.packets;
	uint64_t size = l->by_packets ? packets : octets;

	l->flows++;
	l->octets += octets;
	l->packets += packets;
	if (r->ended_ns > l->newest_ns)
		l->newest_ns = r->ended_ns;
	if (l->n < l->max) {
		l->heap[l->n] = (struct entry){ size, *r };
		rise(l, l->n++);
	} else if (size > l->heap[0].size) {
		l->heap[0] = (struct entry){ size, *r };
		sink(l);
	}
}

/* When the record began: a half without packets has no time. */
static uint64_t
start_of(const struct flow_record *r)
{
	if (r->rev.packets == 0)
		return r->fwd.start_ns;
	if (r->fwd.packets == 0 || r->rev.start_ns < r->fwd.start_ns)
		return r->rev.start_ns;
	return r->fwd.start_ns;
}

static void
write_flow(const struct flow_record *r, FILE *out)
{
	int family = r->ip_version == 4 ? AF_INET : AF_INET6;
	bool ports = !protocol_is_icmp(r->protocol);
	char src[INET6_ADDRSTRLEN], dst[INET6_ADDRSTRLEN], name[8];

	(void)inet_ntop(family, r->src, src, sizeof(src));
	(void)inet_ntop(family, r->dst, dst, sizeof(dst));
	fprintf(out, "%s %s %u %s %u ", printer_protocol(name, r->protocol),
	    src, ports ? r->src_port : 0U, dst, ports ? r->dst_port : 0U);
	fprintf(out,
	    "%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
	    r->fwd.octets, r->fwd.packets, r->rev.octets, r->rev.packets,
	    start_of(r));
}

void
largest_write(const struct largest *l, FILE *out)
{
	fprintf(out,
	    "%" PRIu64 " %" PRIu64 " %" PRIu64 " %zu %" PRIu64 " %" PRIu64 "\n",
	    l->flows, l->octets, l->packets, l->n,
	    l->n == l->flows ? 0 : l->heap[0].size, l->newest_ns);
	for (size_t i = 0; i < l->n; i++)
		write_flow(&l->heap[i].flow, out);
}

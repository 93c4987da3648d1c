/* SPDX-License-Identifier: ISC */
/*
 * fuzz_flowtrack.c - any script of packets, times and commands to a small
 * flow cache (libFuzzer).
 *
 * The input is a list of steps: packets between few hosts, time that runs both
 * ways, expiry, sweeps, other timeouts, listing.  Beside the cache stands the
 * simplest model there is, one pair of counters for each unidirectional key;
 * what the cache still has, has reported and has deleted must add up to it.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "decode.h"
#include "extra.h"
#include "flowtrack.h"

#define HOSTS 4U
#define PORTS 2U
#define PROTOCOLS 4U
#define KEYS ((size_t)2 * PROTOCOLS * HOSTS * HOSTS * PORTS * PORTS)
#define FLOWS_MAX 16U
#define BURST 40 /* packets in one call, more than the cache's own burst */
#define OCTETS_MAX 100000
#define START_NS (UINT64_C(1709294400) * NS_PER_S)

static const uint8_t protocols[PROTOCOLS] = { 6, 17, 1, 132 };

/* How far time moves, by the low bits of a step. */
static const uint64_t leaps_ms[] = { 0, 1, 127, 128, 129, 1000, 9999, 10000,
	59999, 60000, 60001, 300000, 600000, UINT64_C(86400000), TIMEOUT_MAX_MS,
	UINT64_C(1) << 33 };

static const uint32_t timeouts_ms[] = { 0, 1, 100, 128, 1000, 60000, 300000,
	TIMEOUT_MAX_MS };

struct cell {
	uint64_t packets, octets;
};

struct world {
	struct flowtrack *ft;
	struct flowtrack_config config;
	uint64_t time_ns, clock_ns;
	uint64_t earliest_ns, latest_ns; /* of all packets */
	uint32_t cursor;                 /* of a sweep under way */
	struct cell added[KEYS];
	struct cell ended[KEYS];
	uint64_t records;
	struct packet burst[BURST];
	struct packet_extra extra[BURST];
	size_t nburst;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool holds)
{
	if (!holds)
		abort();
}

/* The number of a unidirectional key; both ways differ. */
static size_t
key_of(unsigned version, unsigned src, unsigned dst, unsigned sport,
    unsigned dport, unsigned protocol)
{
	size_t key = version == 6;

	for (unsigned i = 0; i < PROTOCOLS; i++)
		if (protocols[i] == protocol)
			key = key * PROTOCOLS + i;
	key = key * HOSTS + src;
	key = key * HOSTS + dst;
	key = key * PORTS + sport;
	return key * PORTS + dport;
}

static void
account(struct cell *c, uint64_t packets, uint64_t octets)
{
	c->packets += packets;
	c->octets += octets;
}

/* Records --------------------------------------------------------------- */

static void
check_half(const struct world *w, const struct flow_record *r,
    const struct flow_half *h)
{
	if (h->packets == 0) {
		require(h->octets == 0);
		return;
	}
	require(h->octets >= 20 * h->packets && h->octets <= OCTETS_MAX);
	require(h->start_ns <= h->end_ns);
	require(h->start_ns >= w->earliest_ns && h->end_ns <= w->latest_ns);
	require(h->end_ns <= r->ended_ns);
}

/* Add both halves of a record to the cells of their keys. */
static void
account_record(struct cell *cells, const struct flow_record *r)
{
	unsigned src = r->src[3], dst = r->dst[3];
	bool icmp = r->protocol == 1;

	require(r->ip_version == 4 || r->ip_version == 6);
	require(src < HOSTS && dst < HOSTS);
	require(r->src_port < PORTS && r->dst_port < PORTS);
	require(r->icmp == (icmp ? r->dst_port : 0));
	account(&cells[key_of(r->ip_version, src, dst, r->src_port, r->dst_port,
		    r->protocol)],
	    r->fwd.packets, r->fwd.octets);
	account(&cells[key_of(r->ip_version, dst, src,
		    icmp ? r->src_port : r->dst_port,
		    icmp ? r->dst_port : r->src_port, r->protocol)],
	    r->rev.packets, r->rev.octets);
}

/* Octets of datagrams stand for all that is merged of packets. */
static void
check_half_extra(const struct flow_half *h, const struct half_extra *x)
{
	require(x->packets_total >= h->packets);
	require(x->octets_total >= h->octets);
	if (h->packets == 0)
		return;
	require(x->packet.shortest <= x->packet.longest);
	require(x->packet.shortest * h->packets <= h->octets);
	require(x->packet.longest * h->packets >= h->octets);
	require(x->packet.ttl_min <= x->packet.ttl);
	require(x->packet.ttl <= x->packet.ttl_max);
}

static void
check_extra(const struct world *w, const struct flow_record *r)
{
	require((r->extra != NULL) == w->config.extra);
	if (r->extra == NULL)
		return;
	require(r->extra->number >= 1);
	require(r->extra->number <= flowtrack_stats(w->ft)->flows);
	check_half_extra(&r->fwd, &r->extra->half[0]);
	check_half_extra(&r->rev, &r->extra->half[1]);
}

static void
on_ended(const struct flow_record *r, void *arg)
{
	struct world *w = arg;

	require(r->end_reason > FLOW_END_NONE && r->end_reason < FLOW_ENDS);
	require(r->fwd.packets + r->rev.packets > 0);
	check_half(w, r, &r->fwd);
	check_half(w, r, &r->rev);
	check_extra(w, r);
	account_record(w->ended, r);
	w->records++;
}

/* The model --------------------------------------------------------------- */

/* Add all active flows to cells; returns how many there are. */
static unsigned
list_active(const struct world *w, struct cell *cells, size_t at_once)
{
	struct flow_record rec[FLOWS_MAX + 1];
	struct flow_extra extra[FLOWS_MAX + 1];
	uint32_t cursor = 0;
	unsigned flows = 0, turns = 0;

	do {
		size_t n = flowtrack_list(w->ft, &cursor, rec, extra, at_once);

		require(n <= at_once && turns++ <= FLOWS_MAX + 1);
		for (size_t i = 0; i < n; i++) {
			require(rec[i].end_reason == FLOW_END_NONE);
			check_half(w, &rec[i], &rec[i].fwd);
			check_half(w, &rec[i], &rec[i].rev);
			check_extra(w, &rec[i]);
			account_record(cells, &rec[i]);
		}
		flows += (unsigned)n;
	} while (cursor != 0);
	return flows;
}

static void
check_stats(const struct world *w, struct cell added, struct cell ended,
    struct cell active)
{
	const struct flowtrack_stats *s = flowtrack_stats(w->ft);
	uint64_t records = 0;

	for (size_t i = 0; i < FLOW_ENDS; i++)
		records += s->ended[i];
	require(records == w->records);
	require(s->packets == added.packets && s->octets == added.octets);
	require(s->ended_packets == ended.packets);
	require(s->ended_octets == ended.octets);
	require(ended.packets + active.packets + s->deleted_packets ==
		added.packets);
	require(
	    ended.octets + active.octets + s->deleted_octets == added.octets);
	require(s->active <= s->active_max);
	require(s->active_max <= w->config.max_flows);
}

static bool
is_empty(const struct cell *c)
{
	return c->packets == 0; /* and then no octets: check_half() */
}

/* One key: what is active or ended was added, and all of it is either. */
static void
check_key(const struct cell *added, const struct cell *ended,
    const struct cell *active, bool deleted)
{
	uint64_t packets = active->packets + ended->packets;
	uint64_t octets = active->octets + ended->octets;

	require(packets <= added->packets && octets <= added->octets);
	require(
	    deleted || (packets == added->packets && octets == added->octets));
}

/* Everything added is active, ended or deleted; without deletion, by key. */
static void
check_world(const struct world *w, size_t at_once)
{
	struct cell active[KEYS], sum[3];
	const struct flowtrack_stats *s = flowtrack_stats(w->ft);

	memset(active, 0, sizeof(active));
	memset(sum, 0, sizeof(sum));
	require(list_active(w, active, at_once) <= s->active);
	for (size_t i = 0; i < KEYS; i++) {
		const struct cell *a = &w->added[i], *e = &w->ended[i];

		if (is_empty(a) && is_empty(e) && is_empty(&active[i]))
			continue;
		check_key(a, e, &active[i], s->deleted_flows != 0);
		account(&sum[0], a->packets, a->octets);
		account(&sum[1], e->packets, e->octets);
		account(&sum[2], active[i].packets, active[i].octets);
	}
	check_stats(w, sum[0], sum[1], sum[2]);
}

/* Steps ------------------------------------------------------------------- */

static void
add_burst(struct world *w)
{
	flowtrack_add(w->ft, w->burst, w->extra, w->nburst);
	w->nburst = 0;
}

/* Bits of a: hosts, ports, protocol; of b: version, TCP flags, length. */
static void
step_packet(struct world *w, unsigned a, unsigned b)
{
	struct packet *p = &w->burst[w->nburst];

	*p = (struct packet){ .time_ns = w->time_ns,
		.clock_ns = w->clock_ns,
		.octets = 40 + (b >> 5) * 211,
		.src_port = a >> 4 & 1,
		.dst_port = a >> 5 & 1,
		.protocol = protocols[a >> 6 & 3],
		.ip_version = b & 1 ? 6 : 4,
		.vlan = b >> 4 & 1,
		.tos = b & 0xf8 };
	p->src[3] = a & 3;
	p->dst[3] = a >> 2 & 3;
	if (p->protocol == 6)
		p->tcp_flags = b >> 1 & 7; /* FIN, SYN, RST */
	if (p->protocol == 1)
		p->src_port = 0;
	w->extra[w->nburst] = (struct packet_extra){ .shortest = p->octets,
		.longest = p->octets,
		.ttl = (uint8_t)a,
		.ttl_min = (uint8_t)a,
		.ttl_max = (uint8_t)a };
	account(&w->added[key_of(p->ip_version, p->src[3], p->dst[3],
		    p->src_port, p->dst_port, p->protocol)],
	    1, p->octets);
	if (w->time_ns < w->earliest_ns)
		w->earliest_ns = w->time_ns;
	if (w->time_ns > w->latest_ns)
		w->latest_ns = w->time_ns;
	if (++w->nburst == BURST)
		add_burst(w);
}

/* Move the wall clock either way, and the other, which runs one way, on. */
static void
step_time(struct world *w, unsigned a)
{
	uint64_t leap_ns = leaps_ms[a & 15] * NS_PER_MS + (a >> 6);

	if (a & 16)
		w->time_ns -= leap_ns < w->time_ns ? leap_ns : w->time_ns;
	else
		w->time_ns += leap_ns;
	if (a & 32)
		w->clock_ns += leap_ns;
}

static void
step_sweep(struct world *w, unsigned a)
{
	static const enum flow_sweep kinds[] = { SWEEP_END, SWEEP_DELETE,
		SWEEP_LOOK, SWEEP_LOOK };
	uint32_t cursor = a & 128 ? w->cursor : 0;
	bool more = flowtrack_sweep(w->ft, kinds[a & 3], &cursor, a >> 2 & 31);

	require(more == (cursor != 0));
	w->cursor = cursor;
	if ((a & 3) == 0 && (a >> 2 & 31) >= FLOWS_MAX && !(a & 128))
		require(flowtrack_stats(w->ft)->active == 0);
}

static void
step_expire(struct world *w, unsigned a)
{
	uint64_t before = w->records;
	bool more = flowtrack_expire(w->ft, w->clock_ns, a);

	(void)more; /* it may be due again at once: timeouts may be 0 */
	require(w->records >= before);
}

static void
step_timeout(struct world *w, unsigned a)
{
	flowtrack_set_timeout(
	    w->ft, (enum flow_timeout)(a % TIMEOUTS), timeouts_ms[a >> 5]);
}

static void
run_script(struct world *w, struct rbuf *script)
{
	while (rb_left(script) > 0) {
		unsigned step = rb_u8(script), a = rb_u8(script);

		if (step & 128) {
			step_packet(w, a, step & 127);
			continue;
		}
		if (step % 8 == 0) {
			step_time(w, a);
			continue;
		}
		add_burst(w); /* what follows must see all packets */
		if (step % 8 == 1)
			step_expire(w, a);
		else if (step % 8 == 2)
			step_sweep(w, a);
		else if (step % 8 == 3)
			step_timeout(w, a);
		else if (step % 8 == 4)
			check_world(w, 1 + a % FLOWS_MAX);
	}
	add_burst(w);
}

static void
open_world(struct world *w, struct rbuf *script)
{
	static const uint32_t defaults_ms[TIMEOUTS] = { 60000, 60000, 10000,
		10000, 60000, 60000, 300000, 1000 };
	uint8_t first = rb_u8(script);

	memset(w, 0, sizeof(*w));
	w->config.max_flows = 1 + first % FLOWS_MAX;
	w->config.extra = first & 0x80;
	w->config.key = (enum flow_key_level)(KEY_FULL + rb_u8(script) % 4);
	w->config.octets_max = OCTETS_MAX;
	memcpy(w->config.timeout_ms, defaults_ms, sizeof(defaults_ms));
	w->time_ns = w->earliest_ns = START_NS;
	w->clock_ns = rb_u8(script) * NS_PER_S * 50000; /* ms wrap in 2^32 */
	w->ft = flowtrack_new(&w->config, on_ended, w);
	require(w->ft != NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct world w;
	struct rbuf script = rb_init(data, size);
	uint32_t cursor = 0;

	open_world(&w, &script);
	run_script(&w, &script);
	check_world(&w, FLOWS_MAX);
	while (flowtrack_sweep(w.ft, SWEEP_END, &cursor, 3))
		;
	require(flowtrack_stats(w.ft)->active == 0);
	check_world(&w, 1);
	flowtrack_free(w.ft);
	return 0;
}

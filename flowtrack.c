/* SPDX-License-Identifier: ISC */
/*
 * flowtrack.c - the flow cache; see flowtrack.h.
 *
 * A hash chooses a bucket, a bucket is the root of a red-black tree of 32-bit
 * indexes (treetype.h), an index names a flow in one slab.  Deadlines stand on
 * a timer wheel and are lazy: a packet only notes when it came, and the wheel
 * moves a flow to its true deadline when it comes upon it.  So expiry costs
 * the packet path nothing.
 *
 * The flow idle longest, exactly, makes room in a full cache: one scan of the
 * slab finds the next few victims in order, which stay the oldest until they
 * are used, or see a packet and are passed over.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "decode.h"
#include "extra.h"
#include "flowkey.h"
#include "flowtrack.h"
#include "sight.h"
#include "treetype.h"

#define LINE 64      /* octets of a cache line */
#define BURST 32     /* packets whose memory is fetched ahead together */
#define TICK_MS 128U /* width of a wheel slot */
#define SLOTS 2048U  /* one turn of the wheel is about 4 minutes */
#define TURN_MS (TICK_MS * SLOTS)
#define FEW_SHARE 64U       /* fewer active flows than buckets / 64 */
#define VICTIM_SHARE 4U     /* a scan finds max_flows / 4 victims */
#define VICTIMS_AHEAD 8U    /* victims whose memory is fetched ahead */
#define SCAN_AHEAD 16       /* flows fetched ahead by a scan */
#define EXPIRE_PER_PACKET 8 /* flows ended in passing by one packet */
#define LIST_LOOKS 4096U    /* entries flowtrack_list looks at per call */

/* Of a function out of the way of what is done for every packet. */
#define RARELY __attribute__((cold, noinline))

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

enum flow_state { FIN_SEEN_0 = 1, FIN_SEEN_1 = 2, RST_SEEN = 4, USED = 8 };
#define FIN_BOTH (FIN_SEEN_0 | FIN_SEEN_1)

/*
 * What one direction carried; times are ns since 1970 UTC.  Two counts share
 * their words with what is narrow, so that adding a packet is an addition
 * each.  A packet has 20 octets at least, so OCTETS_MAX keeps both counts in
 * their bits.
 */
struct half {
	uint64_t count; /* packets; TCP flags in the 16 highest bits */
	uint64_t sum;   /* octets; RANK, direction, class of service above */
	uint64_t start_ns, end_ns;
};

#define FLAGS_SHIFT 48
#define RANK_SHIFT 45 /* 7 bits, of a half that is SETTLED */
#define DIRECTION_SHIFT 54
#define TOS_SHIFT 56
#define OCTETS_MAX ((UINT64_C(1) << RANK_SHIFT) - 1)

/*
 * Of a router: where this half is counted stands in RANK, and nothing else of
 * its sight can change it; and by which interface it leaves is noted there.
 */
#define SETTLED (UINT64_C(1) << 52)
#define LEAVING_NOTED (UINT64_C(1) << 53)

/*
 * One conversation, in two cache lines: what finds it and what times it, and
 * what it carried.  half[0] is the direction of its first packet.  Times in
 * ms are of the clock that never runs backwards, modulo 2^32.
 */
struct flow {
	struct flow_key key;
	uint32_t seen_ms;    /* last packet */
	uint32_t born_ms;    /* first packet of the record under way */
	uint32_t next, prev; /* on the wheel; next also in the free list */
	uint32_t ifindex;
	uint32_t vlan : 12;
	uint32_t slot : 11;   /* of the wheel */
	uint32_t timeout : 4; /* enum flow_timeout of its idle timeout */
	uint32_t from : 1;    /* endpoint of the key that sent first */
	uint32_t state : 4;   /* enum flow_state */
	struct half half[2];
};

static_assert(sizeof(struct flow) == 128, "a flow is two cache lines");

/* The root of a tree, and a copy of its tag: most trees have one node. */
struct bucket {
	uint32_t root, tag;
};

struct flowtrack {
	struct flowtrack_config config;
	flow_ended_fn *ended;
	void *arg;
	struct flow_hash_seed seed;
	struct tree_type tree;

	struct bucket *bucket;
	uint32_t buckets;
	struct tree_node *node;   /* [i] links flow i */
	struct flow *flow;        /* [1] to [max_flows] */
	void *slab;               /* where they were allocated */
	struct flow_ether *ether; /* the same, at KEY_ETHER; else NULL */
	struct flow_extra *extra; /* the same, if asked for; else NULL */
	struct sights *sights;    /* the same, of a router; else NULL */
	uint32_t free;            /* list of entries that were used before */
	uint32_t fresh;           /* entries from here on never were */

	uint64_t clock_ns;    /* newest time seen */
	uint64_t clock_ms_ns; /* ... below this, now_ms holds */
	uint64_t time_ns;     /* newest wall clock seen */
	uint32_t now_ms;
	uint32_t wheel_ms;  /* the slot that is due next ends here */
	uint32_t expint_ms; /* the wheel turns next at this time */
	bool held;          /* ... but not now */
	uint32_t
	    wheel[SLOTS]; /* first flow of each slot; its prev is the last */

	/*
	 * Oldest first: when a flow was seen last, in ms since victim_ms, and
	 * in the low 32 bits its index.
	 */
	uint64_t *victim;
	uint32_t victim_ms;
	uint32_t victims, victim_next, victims_max;

	struct flowtrack_stats stats;
};

static inline uint64_t
half_packets(const struct half *h)
{
	return h->count & ((UINT64_C(1) << FLAGS_SHIFT) - 1);
}

static inline uint64_t
half_octets(const struct half *h)
{
	return h->sum & OCTETS_MAX;
}

static inline uint8_t
half_rank(const struct half *h)
{
	return h->sum >> RANK_SHIFT & 0x7f;
}

static inline enum packet_direction
half_direction(const struct half *h)
{
	return (enum packet_direction)(h->sum >> DIRECTION_SHIFT & 3);
}

/* Order of a key (and its MAC addresses, at KEY_ETHER) and that of flow i. */
static inline int
key_order(const struct flowtrack *ft, const struct flow_key *key,
    const struct flow_ether *ether, uint32_t i)
{
	int order = memcmp(key, &ft->flow[i].key, sizeof(*key));

	if (order == 0 && ft->ether != NULL)
		order = memcmp(ether, &ft->ether[i], sizeof(*ether));
	return order;
}

static int
compare_flows(const void *arg, uint32_t a, uint32_t b)
{
	const struct flowtrack *ft = arg;

	return key_order(
	    ft, &ft->flow[a].key, ft->ether == NULL ? NULL : &ft->ether[a], b);
}

/* The first cache line of an allocation. */
static void *
at_line(void *p)
{
	return (uint8_t *)p + (LINE - (uintptr_t)p % LINE) % LINE;
}

struct flowtrack *
flowtrack_new(
    const struct flowtrack_config *config, flow_ended_fn *ended, void *arg)
{
	struct flowtrack *ft;
	size_t n = (size_t)config->max_flows + 1;

	if (config->max_flows == 0 || config->max_flows > FLOWTRACK_MAX_FLOWS ||
	    config->key >= KEY_LEVELS) {
		errno = EINVAL;
		return NULL;
	}
	if ((ft = calloc(1, sizeof(*ft))) == NULL)
		return NULL;
	ft->config = *config;
	flowtrack_set_octets_max(ft, config->octets_max);
	ft->ended = ended;
	ft->arg = arg;
	ft->fresh = 1;
	ft->buckets = 2 * config->max_flows;
	ft->victims_max = config->max_flows / VICTIM_SHARE + 1;
	ft->bucket = calloc(ft->buckets, sizeof(*ft->bucket));
	ft->node = calloc(n, sizeof(*ft->node));
	ft->slab = calloc(n + 1, sizeof(*ft->flow));
	ft->victim = calloc(ft->victims_max, sizeof(*ft->victim));
	if (config->key == KEY_ETHER)
		ft->ether = calloc(n, sizeof(*ft->ether));
	if (config->extra)
		ft->extra = calloc(n, sizeof(*ft->extra));
	if (config->router)
		ft->sights = calloc(n, sizeof(*ft->sights));
	if (ft->bucket == NULL || ft->node == NULL || ft->slab == NULL ||
	    ft->victim == NULL ||
	    (config->key == KEY_ETHER && ft->ether == NULL) ||
	    (config->extra && ft->extra == NULL) ||
	    (config->router && ft->sights == NULL)) {
		flowtrack_free(ft);
		errno = ENOMEM;
		return NULL;
	}
	ft->flow = at_line(ft->slab);
	ft->tree = (struct tree_type){ ft->node, compare_flows, ft };
	flow_hash_seed(&ft->seed);
	return ft;
}

void
flowtrack_free(struct flowtrack *ft)
{
	if (ft == NULL)
		return;
	free(ft->bucket);
	free(ft->node);
	free(ft->slab);
	free(ft->ether);
	free(ft->extra);
	free(ft->sights);
	free(ft->victim);
	free(ft);
}

size_t
flowtrack_octets_per_flow(void)
{
	return sizeof(struct flow) + sizeof(struct tree_node) +
	       2 * sizeof(struct bucket) + sizeof(uint64_t) / VICTIM_SHARE;
}

size_t
flowtrack_memory(const struct flowtrack_config *config)
{
	size_t each = flowtrack_octets_per_flow();

	each += config->key == KEY_ETHER ? sizeof(struct flow_ether) : 0;
	each += config->extra ? sizeof(struct flow_extra) : 0;
	each += config->router ? sizeof(struct sights) : 0;
	/* Some arrays have an entry or two that is no flow's. */
	return sizeof(struct flowtrack) + (config->max_flows + 2) * each;
}

/* Time ------------------------------------------------------------------ */

/* Whether time a is at or after time b; both modulo 2^32 ms. */
static inline bool
reached(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) >= 0;
}

static inline uint32_t
idle_ms(const struct flowtrack *ft, const struct flow *f)
{
	return ft->config.timeout_ms[f->timeout];
}

static inline bool
carries(const struct flow *f)
{
	return (f->half[0].count | f->half[1].count) != 0;
}

/* Whether the record under way is as old as the active timeout. */
static inline bool
is_too_old(const struct flowtrack *ft, const struct flow *f)
{
	uint32_t life = ft->config.timeout_ms[TIMEOUT_MAXLIFE];

	return life != 0 && ft->now_ms - f->born_ms >= life && carries(f);
}

static inline bool
is_idle(const struct flowtrack *ft, const struct flow *f)
{
	return ft->now_ms - f->seen_ms >= idle_ms(ft, f);
}

/* The wheel ------------------------------------------------------------- */

static void
wheel_remove(struct flowtrack *ft, uint32_t i)
{
	struct flow *f = &ft->flow[i];
	uint32_t *first = &ft->wheel[f->slot];

	if (*first == i) {
		*first = f->next;
		if (f->next != 0)
			ft->flow[f->next].prev = f->prev;
		return;
	}
	ft->flow[f->prev].next = f->next;
	ft->flow[f->next != 0 ? f->next : *first].prev = f->prev;
}

/* Put a flow where the wheel will look at it when it may be due. */
static void
wheel_place(struct flowtrack *ft, uint32_t i)
{
	struct flow *f = &ft->flow[i];
	uint32_t life = ft->config.timeout_ms[TIMEOUT_MAXLIFE];
	uint32_t due = f->seen_ms + idle_ms(ft, f), *first;

	if (life != 0 && carries(f) && reached(due, f->born_ms + life))
		due = f->born_ms + life;
	if (reached(ft->wheel_ms, due)) /* overdue: the next slot */
		due = ft->wheel_ms;
	else if (due - ft->wheel_ms > TURN_MS - 2 * TICK_MS)
		due = ft->wheel_ms + TURN_MS - 2 * TICK_MS;
	f->slot = (due + TICK_MS - 1) / TICK_MS % SLOTS;
	first = &ft->wheel[f->slot];
	f->next = 0;
	if (*first == 0) {
		*first = f->prev = i;
		return;
	}
	f->prev = ft->flow[*first].prev;
	ft->flow[f->prev].next = i;
	ft->flow[*first].prev = i;
}

/* Records --------------------------------------------------------------- */

/* A direction that was seen at one interface, or two of a router. */
static void
fill_half(const struct flowtrack *ft, uint32_t i, unsigned side,
    struct flow_half *out)
{
	const struct half *h = &ft->flow[i].half[side];
	uint32_t ifindex = ft->flow[i].ifindex;

	*out = (struct flow_half){
		.packets = half_packets(h),
		.octets = half_octets(h),
		.start_ns = h->start_ns,
		.end_ns = h->end_ns,
		.tcp_flags = (uint16_t)(h->count >> FLAGS_SHIFT),
		.tos = (uint8_t)(h->sum >> TOS_SHIFT),
		.direction = (uint8_t)half_direction(h),
	};
	if (ft->sights != NULL)
		sight_fill(&ft->sights[i].half[side], out);
	else if (out->direction == DIRECTION_OUT)
		out->egress = ifindex;
	else
		out->ingress = ifindex;
}

static void
fill_record(const struct flowtrack *ft, uint32_t i, enum flow_end why,
    struct flow_record *r)
{
	const struct flow *f = &ft->flow[i];
	bool icmp = protocol_is_icmp(f->key.protocol);
	unsigned src = f->from, dst = !src;

	memset(r, 0, sizeof(*r));
	memcpy(r->src, f->key.addr[src], sizeof(r->src));
	memcpy(r->dst, f->key.addr[dst], sizeof(r->dst));
	r->src_port = f->key.port[icmp ? 0 : src];
	r->dst_port = f->key.port[icmp ? 1 : dst];
	r->icmp = icmp ? r->dst_port : 0;
	r->vlan = f->vlan;
	r->protocol = f->key.protocol;
	r->ip_version = f->key.ip_version;
	r->end_reason = (uint8_t)why;
	if (ft->ether != NULL) {
		memcpy(r->src_mac, ft->ether[i].mac[src], 6);
		memcpy(r->dst_mac, ft->ether[i].mac[dst], 6);
	}
	fill_half(ft, i, 0, &r->fwd);
	fill_half(ft, i, 1, &r->rev);
}

static uint64_t
max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* The reason for which a flow ends when its idle timeout has passed. */
static enum flow_end
idle_reason(const struct flow *f)
{
	return f->timeout == TIMEOUT_TCP_FIN || f->timeout == TIMEOUT_TCP_RST
		   ? FLOW_END_FLOW
		   : FLOW_END_IDLE;
}

/*
 * Which of its two deadlines the record under way meets first.  What is due
 * is told by that one, however late it is looked at, so that records do not
 * depend on when the wheel turned.
 */
static enum flow_end
nearer_end(const struct flowtrack *ft, const struct flow *f)
{
	uint32_t life = ft->config.timeout_ms[TIMEOUT_MAXLIFE];

	if (life != 0 && carries(f) &&
	    reached(f->seen_ms + idle_ms(ft, f), f->born_ms + life))
		return FLOW_END_ACTIVE;
	return idle_reason(f);
}

/* Why the record under way must end now; FLOW_END_NONE if it need not. */
static enum flow_end
due_end(const struct flowtrack *ft, const struct flow *f)
{
	return is_idle(ft, f) || is_too_old(ft, f) ? nearer_end(ft, f)
						   : FLOW_END_NONE;
}

/* When the record was made, as the wall clock of the capture would say it. */
static uint64_t
ended_at(const struct flowtrack *ft, const struct flow *f, enum flow_end why)
{
	const struct half *h = f->half;
	uint64_t last = max_u64(h[0].end_ns, h[1].end_ns), first;

	if (why == FLOW_END_IDLE || why == FLOW_END_FLOW)
		return last + idle_ms(ft, f) * NS_PER_MS;
	if (why != FLOW_END_ACTIVE || !is_too_old(ft, f))
		return max_u64(last, ft->time_ns);
	first = h[0].count == 0 ||
			(h[1].count != 0 && h[1].start_ns < h[0].start_ns)
		    ? h[1].start_ns
		    : h[0].start_ns;
	return max_u64(
	    last, first + ft->config.timeout_ms[TIMEOUT_MAXLIFE] * NS_PER_MS);
}

/* Add to the totals of a flow what its record says, and give them to it. */
static void RARELY
add_totals(struct flow_extra *x, struct flow_record *r)
{
	x->half[0].packets_total += r->fwd.packets;
	x->half[0].octets_total += r->fwd.octets;
	x->half[1].packets_total += r->rev.packets;
	x->half[1].octets_total += r->rev.octets;
	r->extra = x;
}

/* Report what the flow carried so far; it goes on, or is removed, empty. */
static void
report(struct flowtrack *ft, uint32_t i, enum flow_end why)
{
	struct flow *f = &ft->flow[i];
	struct flowtrack_stats *s = &ft->stats;
	struct flow_record r;

	if (!carries(f))
		return;
	fill_record(ft, i, why, &r);
	r.ended_ns = ended_at(ft, f, why);
	s->ended[why]++;
	s->ended_packets += r.fwd.packets + r.rev.packets;
	s->ended_octets += r.fwd.octets + r.rev.octets;
	if (ft->extra != NULL)
		add_totals(&ft->extra[i], &r);
	memset(f->half, 0, sizeof(f->half));
	ft->ended(&r, ft->arg);
}

/* Entries --------------------------------------------------------------- */

/*
 * In place always: a call that only fetches ahead has no effect to keep. Sights
 * are touched too seldom to be worth it.
 */
static inline void __attribute__((always_inline))
fetch_flow(const struct flowtrack *ft, uint32_t i)
{
	__builtin_prefetch(&ft->flow[i].key);
	__builtin_prefetch(&ft->flow[i].half);
}

static inline struct bucket *
bucket_of(const struct flowtrack *ft, uint64_t hash)
{
	return &ft->bucket[((hash >> 32) * ft->buckets) >> 32];
}

static inline uint64_t
hash_of(const struct flowtrack *ft, uint32_t i)
{
	return flow_hash(&ft->seed, &ft->flow[i].key,
	    ft->ether == NULL ? NULL : &ft->ether[i]);
}

static void
drop_entry(struct flowtrack *ft, uint32_t i)
{
	struct flow *f = &ft->flow[i];
	struct bucket *b = bucket_of(ft, hash_of(ft, i));

	tree_remove(&ft->tree, &b->root, i);
	b->tag = ft->node[b->root].tag;
	wheel_remove(ft, i);
	f->state = 0;
	f->next = ft->free;
	ft->free = i;
	ft->stats.active--;
}

static void
end_flow(struct flowtrack *ft, uint32_t i, enum flow_end why)
{
	report(ft, i, why);
	drop_entry(ft, i);
}

/*
 * Let v sink into the heap of n victims from its top, the youngest.  Which of
 * two children is younger cannot be predicted, so it is not asked for.
 */
static void
heap_sink(uint64_t *heap, uint32_t n, uint32_t at, uint64_t v)
{
	for (uint32_t child; (child = 2 * at + 1) < n; at = child) {
		uint32_t last = child + 1 < n ? child + 1 : child;

		child += heap[last] > heap[child];
		if (heap[child] <= v)
			break;
		heap[at] = heap[child];
	}
	heap[at] = v;
}

static void
heap_make(uint64_t *heap, uint32_t n)
{
	for (uint32_t at = n / 2; at-- > 0;)
		heap_sink(heap, n, at, heap[at]);
}

/* Find the victims_max flows idle longest, in order; ties by place. */
static void
find_victims(struct flowtrack *ft)
{
	uint64_t *heap = ft->victim;
	uint32_t n = 0;

	ft->victim_ms = ft->now_ms - TIMEOUT_MAX_MS;
	for (uint32_t i = 1; i < ft->fresh; i++) {
		const struct flow *f = &ft->flow[i];
		uint64_t v = (uint64_t)(f->seen_ms - ft->victim_ms) << 32 | i;

		__builtin_prefetch(
		    &ft->flow[i + SCAN_AHEAD < ft->fresh ? i + SCAN_AHEAD : i]);
		if (!(f->state & USED))
			continue;
		if (n < ft->victims_max) {
			heap[n++] = v;
			if (n == ft->victims_max)
				heap_make(heap, n);
		} else if (v < heap[0]) {
			heap_sink(heap, n, 0, v);
		}
	}
	if (n < ft->victims_max)
		heap_make(heap, n);
	ft->victims = n;
	ft->victim_next = 0;
	while (n-- > 1) {
		uint64_t v = heap[n];

		heap[n] = heap[0];
		heap_sink(heap, n, 0, v);
	}
}

/*
 * Step to the next victim.  Ask for what ending those to come will touch, which
 * nobody has touched for long: first their flows, and once these are here what
 * leads to them.
 */
static uint64_t
next_victim(struct flowtrack *ft)
{
	uint32_t near = ft->victim_next + VICTIMS_AHEAD;
	uint32_t far = near + VICTIMS_AHEAD, i;

	if (far < ft->victims)
		fetch_flow(ft, (uint32_t)ft->victim[far]);
	if (near < ft->victims) {
		i = (uint32_t)ft->victim[near];
		__builtin_prefetch(bucket_of(ft, hash_of(ft, i)));
		__builtin_prefetch(&ft->node[i]);
	}
	return ft->victim[ft->victim_next++];
}

/* End the flow that has been idle longest. */
static void
make_room(struct flowtrack *ft)
{
	for (;;) {
		while (ft->victim_next < ft->victims) {
			uint64_t v = next_victim(ft);
			uint32_t i = (uint32_t)v;
			uint32_t seen_ms = (uint32_t)(v >> 32) + ft->victim_ms;

			if (!(ft->flow[i].state & USED) ||
			    ft->flow[i].seen_ms != seen_ms)
				continue;
			end_flow(ft, i, FLOW_END_NO_RESOURCES);
			return;
		}
		find_victims(ft);
	}
}

static uint32_t
take_entry(struct flowtrack *ft)
{
	uint32_t i;

	if (ft->stats.active == ft->config.max_flows)
		make_room(ft);
	if ((i = ft->free) != 0)
		ft->free = ft->flow[i].next;
	else
		i = ft->fresh++;
	if (++ft->stats.active > ft->stats.active_max)
		ft->stats.active_max = ft->stats.active;
	return i;
}

/* Expiry ---------------------------------------------------------------- */

/* The wheel came upon a flow: end it, report it, or move it on. */
static void
look_at(struct flowtrack *ft, uint32_t i)
{
	struct flow *f = &ft->flow[i];

	enum flow_end why = due_end(ft, f);

	if (is_idle(ft, f)) {
		end_flow(ft, i, why);
		return;
	}
	if (why != FLOW_END_NONE)
		report(ft, i, why);
	wheel_remove(ft, i);
	wheel_place(ft, i);
}

/* The end of the slot that now is in. */
static uint32_t
next_slot_ms(const struct flowtrack *ft)
{
	return ft->now_ms / TICK_MS * TICK_MS + TICK_MS;
}

/* Turn the wheel up to now; returns whether `budget` ended it earlier. */
static bool
turn_wheel(struct flowtrack *ft, uint32_t budget)
{
	uint32_t behind = ft->now_ms - ft->wheel_ms;

	if (!reached(ft->now_ms, ft->wheel_ms))
		return false;
	if (behind >= 2 * TURN_MS) /* each slot once is enough */
		ft->wheel_ms += (behind / TURN_MS - 1) * TURN_MS;
	while (reached(ft->now_ms, ft->wheel_ms)) {
		uint32_t *first = &ft->wheel[ft->wheel_ms / TICK_MS % SLOTS];

		for (; *first != 0; budget--) {
			if (budget == 0)
				return true;
			look_at(ft, *first);
		}
		ft->wheel_ms = ft->stats.active == 0 ? next_slot_ms(ft)
						     : ft->wheel_ms + TICK_MS;
	}
	return false;
}

typedef enum flow_end end_reason_fn(
    const struct flowtrack *, const struct flow *);

/*
 * Report all flows and empty the cache.  Where there are many, none is
 * unlinked by itself; where there are few, clearing all would cost more.
 */
static void
end_all(struct flowtrack *ft, end_reason_fn *reason)
{
	bool few = ft->stats.active < ft->buckets / FEW_SHARE;

	for (uint32_t i = 1; few && i < ft->fresh && ft->stats.active > 0; i++)
		if (ft->flow[i].state & USED)
			end_flow(ft, i, reason(ft, &ft->flow[i]));
	if (few)
		return;
	for (uint32_t i = 1; i < ft->fresh; i++) {
		fetch_flow(ft, i + 8 < ft->fresh ? i + 8 : i);
		if (ft->flow[i].state & USED)
			report(ft, i, reason(ft, &ft->flow[i]));
	}
	memset(ft->bucket, 0, ft->buckets * sizeof(*ft->bucket));
	memset(ft->wheel, 0, sizeof(ft->wheel));
	ft->free = 0;
	ft->fresh = 1;
	ft->victims = ft->victim_next = 0;
	ft->stats.active = 0;
}

/* Move the cache's clock on; it never runs backwards. */
static void
set_clock(struct flowtrack *ft, uint64_t clock_ns)
{
	bool first = ft->clock_ns == 0;
	uint64_t ms = clock_ns / NS_PER_MS;

	if (!first && clock_ns <= ft->clock_ns)
		return;
	if (!first && ms - ft->clock_ns / NS_PER_MS > TIMEOUT_MAX_MS)
		end_all(ft, nearer_end);
	ft->clock_ns = clock_ns;
	ft->clock_ms_ns = (ms + 1) * NS_PER_MS;
	ft->now_ms = (uint32_t)ms;
	if (first || ft->stats.active == 0) {
		ft->wheel_ms = next_slot_ms(ft);
		ft->expint_ms = ft->now_ms;
	}
}

/* Look for flows that are due, if it is time to; as flowtrack_expire. */
static bool
expire_due(struct flowtrack *ft, uint32_t budget)
{
	uint32_t expint = ft->config.timeout_ms[TIMEOUT_EXPINT];

	if (ft->held || !reached(ft->now_ms, ft->expint_ms))
		return false;
	if (turn_wheel(ft, budget))
		return true;
	ft->expint_ms = ft->now_ms + (expint > TICK_MS ? expint : TICK_MS);
	return false;
}

bool
flowtrack_expire(struct flowtrack *ft, uint64_t clock_ns, uint32_t budget)
{
	set_clock(ft, clock_ns);
	return expire_due(ft, budget);
}

void
flowtrack_hold(struct flowtrack *ft, bool held)
{
	ft->held = held;
}

/* Why a flow ends that must end now. */
static enum flow_end
forced_end(const struct flowtrack *ft, const struct flow *f)
{
	enum flow_end why = due_end(ft, f);

	return why == FLOW_END_NONE ? FLOW_END_FORCED : why;
}

static void
delete_flow(struct flowtrack *ft, uint32_t i)
{
	const struct flow *f = &ft->flow[i];
	struct flowtrack_stats *s = &ft->stats;

	s->deleted_flows++;
	s->deleted_packets +=
	    half_packets(&f->half[0]) + half_packets(&f->half[1]);
	s->deleted_octets +=
	    half_octets(&f->half[0]) + half_octets(&f->half[1]);
	drop_entry(ft, i);
}

bool
flowtrack_sweep(struct flowtrack *ft, enum flow_sweep what, uint32_t *cursor,
    uint32_t budget)
{
	uint32_t i = *cursor == 0 ? 1 : *cursor;

	if (what == SWEEP_END && *cursor == 0 && budget >= ft->stats.active) {
		end_all(ft, forced_end);
		return false;
	}
	for (; i < ft->fresh; i++) {
		if (!(ft->flow[i].state & USED))
			continue;
		if (budget-- == 0)
			break;
		if (what == SWEEP_END)
			end_flow(ft, i, forced_end(ft, &ft->flow[i]));
		else if (what == SWEEP_DELETE)
			delete_flow(ft, i);
		else
			look_at(ft, i);
	}
	*cursor = i < ft->fresh ? i : 0;
	return *cursor != 0;
}

/* Packets --------------------------------------------------------------- */

/* What is worked out for a packet before its flow is touched. */
struct probe {
	struct flow_key key;
	struct flow_ether ether;
	uint32_t tag;
	struct bucket *bucket;
	uint32_t child;
	bool at_root;
	bool down; /* source is endpoint 1 */
};

static enum flow_timeout
timeout_for(const struct flow *f)
{
	switch (f->key.protocol) {
	case 6:
		if (f->state & RST_SEEN)
			return TIMEOUT_TCP_RST;
		if ((f->state & FIN_BOTH) == FIN_BOTH)
			return TIMEOUT_TCP_FIN;
		return TIMEOUT_TCP;
	case 17:
		return TIMEOUT_UDP;
	case 1:
	case 58:
		return TIMEOUT_ICMP;
	default:
		return TIMEOUT_GENERAL;
	}
}

static inline bool
is_flow(const struct flowtrack *ft, const struct probe *q, uint32_t i)
{
	return flow_key_equal(&q->key, &ft->flow[i].key) &&
	       (ft->ether == NULL || memcmp(&q->ether, &ft->ether[i],
					 sizeof(struct flow_ether)) == 0);
}

static uint32_t
walk_tree(const struct flowtrack *ft, const struct probe *q)
{
	uint32_t i = q->bucket->root;

	while (i != 0) {
		const struct tree_node *n = &ft->node[i];
		int order = (q->tag > n->tag) - (q->tag < n->tag);

		if (order == 0)
			order = key_order(ft, &q->key, &q->ether, i);
		if (order == 0)
			return i;
		i = tree_child(&ft->tree, i, order > 0);
	}
	return 0;
}

static inline uint32_t
find_flow(const struct flowtrack *ft, const struct probe *q)
{
	const struct bucket *b = q->bucket;

	if (b->root == 0 || (b->tag == q->tag && is_flow(ft, q, b->root)))
		return b->root;
	return walk_tree(ft, q);
}

/* Begin with a number that no flow had, in this cache or another of the run. */
static void RARELY
begin_extra(struct flowtrack *ft, uint32_t i)
{
	uint32_t caches = ft->config.caches > 1 ? ft->config.caches : 1;
	uint64_t before = (ft->stats.flows - 1) * caches + ft->config.cache;

	ft->extra[i] = (struct flow_extra){ .number = before + 1 };
}

/* Let a flow begin, or begin anew, with packet p. */
static void
begin_flow(struct flowtrack *ft, uint32_t i, const struct packet *p, bool down)
{
	struct flow *f = &ft->flow[i];

	f->state = USED;
	f->from = down;
	f->seen_ms = f->born_ms = ft->now_ms;
	f->ifindex = p->ifindex;
	f->vlan = p->vlan & 0x0fffU;
	f->timeout = timeout_for(f);
	ft->stats.flows++;
	ft->stats.protocol_flows[p->protocol]++;
	if (ft->extra != NULL)
		begin_extra(ft, i);
	if (ft->sights != NULL) {
		ft->sights[i] = (struct sights){ 0 };
		(void)sight_counts(&ft->sights[i].half[0], p, ft->now_ms);
	}
}

static uint32_t
new_flow(struct flowtrack *ft, const struct probe *q, const struct packet *p)
{
	uint32_t i = take_entry(ft);
	struct flow *f = &ft->flow[i];

	memset(f, 0, sizeof(*f));
	f->key = q->key;
	if (ft->ether != NULL)
		ft->ether[i] = q->ether;
	begin_flow(ft, i, p, q->down);
	ft->node[i].tag = q->tag;
	tree_insert(&ft->tree, &q->bucket->root, i);
	q->bucket->tag = ft->node[q->bucket->root].tag;
	return i;
}

/* Whether a half may count the octets of packet p, too. */
static inline bool
has_room(
    const struct flowtrack *ft, const struct half *h, const struct packet *p)
{
	return half_octets(h) <= ft->config.octets_max - p->octets;
}

/*
 * Whether nothing but its sums changes in a flow for packet p: all that
 * end_record_before looks for, and most packets need no more than this.
 */
static inline bool
joins(const struct flowtrack *ft, const struct flow *f, const struct half *h,
    const struct packet *p)
{
	return carries(f) && !is_idle(ft, f) && !is_too_old(ft, f) &&
	       has_room(ft, h, p) &&
	       (p->tcp_flags & (TCP_SYN | TCP_ACK)) != TCP_SYN;
}

/* End the record under way where packet p must not be part of it. */
static void
end_record_before(
    struct flowtrack *ft, uint32_t i, const struct packet *p, bool down)
{
	struct flow *f = &ft->flow[i];
	enum flow_end why = due_end(ft, f);
	bool opens = (p->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN &&
		     idle_reason(f) == FLOW_END_FLOW;
	bool anew = opens || is_idle(ft, f);

	if (why == FLOW_END_NONE && opens)
		why = FLOW_END_FLOW;
	else if (why == FLOW_END_NONE &&
		 !has_room(ft, &f->half[down != f->from], p))
		why = FLOW_END_ACTIVE;
	if (why != FLOW_END_NONE)
		report(ft, i, why);
	if (anew)
		begin_flow(ft, i, p, down);
	if (!carries(f)) { /* a record begins: it has its own deadlines */
		wheel_remove(ft, i);
		f->born_ms = ft->now_ms;
	}
}

static void
note_tcp(struct flowtrack *ft, uint32_t i, int side, uint16_t flags)
{
	struct flow *f = &ft->flow[i];
	unsigned state = f->state;

	if (flags & TCP_FIN)
		state |= side == 0 ? FIN_SEEN_0 : FIN_SEEN_1;
	if (flags & TCP_RST)
		state |= RST_SEEN;
	if (state == f->state)
		return;
	f->state = state & 15U;
	f->timeout = timeout_for(f);
	wheel_remove(ft, i); /* its deadline may be nearer now */
	wheel_place(ft, i);
}

static inline void
add_to_half(struct half *h, const struct packet *p)
{
	if (h->count == 0) {
		h->start_ns = h->end_ns = p->time_ns;
		h->sum = (uint64_t)p->tos << TOS_SHIFT | (uint64_t)p->direction
							     << DIRECTION_SHIFT;
	} else if (p->time_ns > h->end_ns) {
		h->end_ns = p->time_ns;
	}
	h->count = (h->count + 1) | (uint64_t)p->tcp_flags << FLAGS_SHIFT;
	h->sum += p->octets;
}

/* Note the lowest interfaces by which a direction came in and left. */
static void RARELY
note_ports(struct half_extra *x, const struct packet *p)
{
	if (p->direction == DIRECTION_IN &&
	    (x->ingress_port == 0 || p->depth <= x->ingress_depth)) {
		x->ingress_port = p->ifindex;
		x->ingress_depth = p->depth;
	}
	if (p->direction == DIRECTION_OUT &&
	    (x->egress_port == 0 || p->depth <= x->egress_depth)) {
		x->egress_port = p->ifindex;
		x->egress_depth = p->depth;
	}
}

static inline void
note_macs(struct half_extra *x, const struct packet *p)
{
	memcpy(x->src_mac, p->src_mac, sizeof(x->src_mac));
	memcpy(x->dst_mac, p->dst_mac, sizeof(x->dst_mac));
}

/* Note what records tell if asked to, of a packet that was accounted. */
static void RARELY
note_extra(struct flowtrack *ft, uint32_t i, int side, const struct packet *p,
    const struct packet_extra *extra)
{
	struct half_extra *x = &ft->extra[i].half[side];

	if (ft->sights != NULL)
		note_ports(x, p);
	if (half_packets(&ft->flow[i].half[side]) > 1) {
		if (extra != NULL)
			extra_merge(&x->packet, extra);
		return;
	}
	note_macs(x, p);
	if (extra != NULL)
		x->packet = *extra;
}

/*
 * Whether a packet of a flow was counted, or will be, at another interface.
 * Once this is settled the flow's own lines tell, and its sight is left alone.
 */
static inline bool
is_again(struct flowtrack *ft, uint32_t i, bool side, const struct packet *p)
{
	struct half *h = &ft->flow[i].half[side];
	uint8_t rank = sight_rank(p);

	if ((h->sum & SETTLED) && rank == half_rank(h))
		return false;
	if ((h->sum & SETTLED) && rank < half_rank(h) &&
	    (p->direction == DIRECTION_IN || (h->sum & LEAVING_NOTED)))
		return true;
	h->sum &= ~SETTLED;
	if (sight_counts(&ft->sights[i].half[side], p, ft->now_ms))
		return false;
	if (p->direction == DIRECTION_OUT)
		h->sum |= LEAVING_NOTED;
	return true;
}

/* A packet was counted: is that where all of this half will be? */
static inline void
settle(
    const struct flowtrack *ft, uint32_t i, bool side, const struct packet *p)
{
	struct half *h = &ft->flow[i].half[side];

	if (sight_is_settled(&ft->sights[i].half[side], p))
		h->sum = (h->sum & ~(UINT64_C(0x7f) << RANK_SHIFT)) | SETTLED |
			 (uint64_t)sight_rank(p) << RANK_SHIFT;
}

/*
 * As is_again, and count it.  Stations are those of the interface that counts,
 * even if it was read late.
 */
static bool
seen_again(struct flowtrack *ft, uint32_t i, bool side, const struct packet *p)
{
	struct flow *f = &ft->flow[i];

	if (is_idle(ft, f) || !is_again(ft, i, side, p))
		return false;
	f->seen_ms = ft->now_ms;
	if (ft->extra != NULL) {
		note_ports(&ft->extra[i].half[side], p);
		if (sight_rank(p) == ft->sights[i].half[side].rank)
			note_macs(&ft->extra[i].half[side], p);
	}
	ft->stats.again_packets++;
	ft->stats.again_octets += p->octets;
	return true;
}

/* Returns the flow, or 0 for a packet that is not counted here. */
static inline uint32_t
account(struct flowtrack *ft, const struct probe *q, const struct packet *p)
{
	uint32_t i = find_flow(ft, q);
	struct flow *f = &ft->flow[i];
	bool side = q->down != f->from, begins = false;

	if (i != 0 && ft->sights != NULL && seen_again(ft, i, side, p))
		return 0;
	if (i == 0 || !joins(ft, f, &f->half[side], p)) {
		if (i == 0)
			i = new_flow(ft, q, p);
		else
			end_record_before(ft, i, p, q->down);
		f = &ft->flow[i];
		side = q->down != f->from;
		begins = !carries(f);
	}
	f->seen_ms = ft->now_ms;
	add_to_half(&f->half[side], p);
	if (ft->sights != NULL && !(f->half[side].sum & SETTLED))
		settle(ft, i, side, p);
	if (begins)
		wheel_place(ft, i);
	if (p->tcp_flags & (TCP_FIN | TCP_RST))
		note_tcp(ft, i, side, p->tcp_flags);
	ft->stats.protocol_packets[p->protocol]++;
	ft->stats.protocol_octets[p->protocol] += p->octets;
	return i;
}

/*
 * The stages of a burst.  Each stores something besides what it fetches: a
 * compiler may drop a function that does nothing but prefetch.
 */

static inline void
make_keys_of(enum flow_key_level level, const struct packet *p, size_t n,
    struct probe probe[BURST])
{
	for (size_t j = 0; j < n; j++)
		probe[j].down =
		    flow_key_make(&probe[j].key, &probe[j].ether, level, &p[j]);
}

/*
 * Work out keys; apart from the hashes, which would wait for these stores.
 * The usual level is a constant, so that no packet asks for it.
 */
static void
make_keys(const struct flowtrack *ft, const struct packet *p, size_t n,
    struct probe probe[BURST])
{
	if (ft->config.key == KEY_FULL)
		make_keys_of(KEY_FULL, p, n, probe);
	else
		make_keys_of(ft->config.key, p, n, probe);
}

static void
find_buckets(const struct flowtrack *ft, size_t n, struct probe probe[BURST])
{
	for (size_t j = 0; j < n; j++) {
		struct probe *q = &probe[j];
		uint64_t hash = flow_hash(
		    &ft->seed, &q->key, ft->ether == NULL ? NULL : &q->ether);

		q->tag = (uint32_t)hash;
		q->bucket = bucket_of(ft, hash);
		__builtin_prefetch(q->bucket);
	}
}

/* Ask for the flow at the root, or for the node that leads on from there. */
static void
fetch_roots(const struct flowtrack *ft, size_t n, struct probe probe[BURST])
{
	for (size_t j = 0; j < n; j++) {
		struct probe *q = &probe[j];

		q->at_root = q->bucket->tag == q->tag;
		if (q->at_root)
			fetch_flow(ft, q->bucket->root);
		else
			__builtin_prefetch(&ft->node[q->bucket->root]);
	}
}

/* Ask for the flows one step below a root; few stand deeper. */
static void
fetch_children(const struct flowtrack *ft, size_t n, struct probe probe[BURST])
{
	for (size_t j = 0; j < n; j++) {
		struct probe *q = &probe[j];

		if (q->at_root)
			continue;
		q->child = tree_child(
		    &ft->tree, q->bucket->root, q->tag > q->bucket->tag);
		__builtin_prefetch(&ft->node[q->child]);
		fetch_flow(ft, q->child);
	}
}

static void
account_all(struct flowtrack *ft, const struct packet *p,
    const struct packet_extra *extra, size_t n, const struct probe probe[BURST])
{
	struct flowtrack_stats *s = &ft->stats;
	/* What is seen again is not accounted. */
	uint64_t packets = s->again_packets + n, octets = s->again_octets;
	uint32_t i;

	for (size_t j = 0; j < n; j++) {
		if (p[j].clock_ns >= ft->clock_ms_ns)
			set_clock(ft, p[j].clock_ns);
		if (reached(ft->now_ms, ft->expint_ms))
			expire_due(ft, EXPIRE_PER_PACKET);
		ft->time_ns = max_u64(ft->time_ns, p[j].time_ns);
		i = account(ft, &probe[j], &p[j]);
		if (ft->extra != NULL && i != 0)
			note_extra(ft, i, probe[j].down != ft->flow[i].from,
			    &p[j], extra == NULL ? NULL : &extra[j]);
		octets += p[j].octets;
	}
	s->packets += packets - s->again_packets;
	s->octets += octets - s->again_octets;
}

void
flowtrack_add(struct flowtrack *ft, const struct packet *p,
    const struct packet_extra *extra, size_t n)
{
	struct probe probe[BURST];

	for (size_t some; n > 0; p += some, n -= some) {
		some = n < BURST ? n : BURST;
		make_keys(ft, p, some, probe);
		find_buckets(ft, some, probe);
		fetch_roots(ft, some, probe);
		fetch_children(ft, some, probe);
		account_all(ft, p, extra, some, probe);
		if (extra != NULL)
			extra += some;
	}
}

/* The rest -------------------------------------------------------------- */

void
flowtrack_set_timeout(
    struct flowtrack *ft, enum flow_timeout which, uint32_t ms)
{
	ft->config.timeout_ms[which] = ms;
	ft->expint_ms = ft->now_ms;
}

void
flowtrack_set_octets_max(struct flowtrack *ft, uint64_t octets_max)
{
	ft->config.octets_max =
	    octets_max < OCTETS_MAX ? octets_max : OCTETS_MAX;
}

size_t
flowtrack_list(const struct flowtrack *ft, uint32_t *cursor,
    struct flow_record *rec, struct flow_extra *extra, size_t max)
{
	uint32_t i = *cursor == 0 ? 1 : *cursor, looks = 0;
	size_t n = 0;

	for (; i < ft->fresh && n < max && looks < LIST_LOOKS; i++, looks++) {
		if (!(ft->flow[i].state & USED) || !carries(&ft->flow[i]))
			continue;
		fill_record(ft, i, FLOW_END_NONE, &rec[n]);
		if (ft->extra != NULL) {
			extra[n] = ft->extra[i];
			add_totals(&extra[n], &rec[n]);
		}
		rec[n].ended_ns = max_u64(
		    ft->time_ns, max_u64(rec[n].fwd.end_ns, rec[n].rev.end_ns));
		n++;
	}
	*cursor = i < ft->fresh ? i : 0;
	return n;
}

const struct flowtrack_stats *
flowtrack_stats(const struct flowtrack *ft)
{
	return &ft->stats;
}

void
flowtrack_stats_add(
    struct flowtrack_stats *sum, const struct flowtrack_stats *s)
{
	sum->packets += s->packets;
	sum->octets += s->octets;
	sum->again_packets += s->again_packets;
	sum->again_octets += s->again_octets;
	sum->flows += s->flows;
	sum->ended_packets += s->ended_packets;
	sum->ended_octets += s->ended_octets;
	sum->deleted_flows += s->deleted_flows;
	sum->deleted_packets += s->deleted_packets;
	sum->deleted_octets += s->deleted_octets;
	sum->active += s->active;
	sum->active_max += s->active_max;
	for (int i = 0; i < FLOW_ENDS; i++)
		sum->ended[i] += s->ended[i];
	for (int i = 0; i < 256; i++) {
		sum->protocol_packets[i] += s->protocol_packets[i];
		sum->protocol_octets[i] += s->protocol_octets[i];
		sum->protocol_flows[i] += s->protocol_flows[i];
	}
}

const char *
flow_timeout_name(enum flow_timeout which)
{
	static const char *const name[TIMEOUTS] = { "general", "tcp", "tcp.fin",
		"tcp.rst", "udp", "icmp", "maxlife", "expint" };

	return which < TIMEOUTS ? name[which] : "?";
}

const char *
flow_key_name(enum flow_key_level level)
{
	static const char *const name[KEY_LEVELS] = { "ip", "proto", "full",
		"tos", "vlan", "ether" };

	return level < KEY_LEVELS ? name[level] : "?";
}

const char *
flow_end_name(enum flow_end why)
{
	static const char *const name[FLOW_ENDS] = { "active flow",
		"idle timeout", "active timeout", "end of flow", "forced end",
		"lack of resources" };

	return why < FLOW_ENDS ? name[why] : "?";
}

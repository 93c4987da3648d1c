/* SPDX-License-Identifier: ISC */
/*
 * flowtrack.h - the flow cache of the Metering Process (RFC 7011 s2).
 *
 * Packets go in; Flow Records come out when a flow ends.  Both directions of
 * a conversation share one entry.  All memory is taken in flowtrack_new().
 * The cache reads no clock and does no I/O: time is the packet's, so one
 * capture file always gives the same records in the same order.
 *
 * Two times are at work.  clock_ns rules timeouts and never runs backwards;
 * time_ns is the wall clock of the capture and is what records carry.
 */
#ifndef FLOWTRACK_H
#define FLOWTRACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record.h" /* struct flow_record, enum flow_end */

struct packet;       /* decode.h */
struct packet_extra; /* extra.h */
struct flow_extra;
struct flowtrack;

/* The Flow Key, each level with all fields of the one before (-T). */
enum flow_key_level {
	KEY_IP,    /* addresses */
	KEY_PROTO, /* and protocol */
	KEY_FULL,  /* and ports, or ICMP type and code */
	KEY_TOS,   /* KEY_FULL and class of service */
	KEY_VLAN,  /* KEY_FULL and VLAN */
	KEY_ETHER, /* KEY_VLAN and MAC addresses */
	KEY_LEVELS
};

/* Timeouts by softflowd's names (-t name=time). */
enum flow_timeout {
	TIMEOUT_GENERAL, /* idle, protocols without an own row */
	TIMEOUT_TCP,     /* idle */
	TIMEOUT_TCP_FIN, /* idle, after FIN from both sides */
	TIMEOUT_TCP_RST, /* idle, after RST */
	TIMEOUT_UDP,     /* idle */
	TIMEOUT_ICMP,    /* idle */
	TIMEOUT_MAXLIFE, /* active timeout; 0 = never */
	TIMEOUT_EXPINT,  /* how often idle flows are looked for; 0 = at once */
	TIMEOUTS
};

/* The longest timeout, about 24 days: times are compared modulo 2^32 ms. */
#define TIMEOUT_MAX_MS UINT32_C(0x7fffffff)

struct flowtrack_config {
	uint32_t max_flows; /* 1 to FLOWTRACK_MAX_FLOWS */
	enum flow_key_level key;
	uint64_t octets_max; /* a half ends before it counts more */
	bool extra;          /* keep a struct flow_extra of each flow */
	/*
	 * The packets are those of several interfaces of one box, so that some
	 * are seen more than once: count each once.
	 */
	bool router;
	/* This is one of so many caches of a run, for numbers of flows. */
	uint32_t cache, caches;
	uint32_t timeout_ms[TIMEOUTS];
};

#define FLOWTRACK_MAX_FLOWS UINT32_C(0x3ffffff)

/* What the cache counted since it was made. */
struct flowtrack_stats {
	uint64_t packets, octets; /* accounted */
	uint64_t again_packets;   /* seen before, at another interface */
	uint64_t again_octets;
	uint64_t flows;            /* entries made */
	uint64_t ended[FLOW_ENDS]; /* records reported, by reason */
	uint64_t ended_packets;    /* in records reported */
	uint64_t ended_octets;
	uint64_t deleted_flows; /* thrown away by SWEEP_DELETE */
	uint64_t deleted_packets;
	uint64_t deleted_octets;
	uint64_t protocol_packets[256];
	uint64_t protocol_octets[256];
	uint64_t protocol_flows[256];
	uint32_t active, active_max; /* entries in use now, and at most */
};

/* Receives each ended flow. rec is borrowed: copy what must outlive it. */
typedef void flow_ended_fn(const struct flow_record *rec, void *arg);

/*
 * Create an empty cache that reports to ended(rec, arg).
 * Returns NULL with errno EINVAL (a limit above is broken) or ENOMEM.
 */
struct flowtrack *flowtrack_new(
    const struct flowtrack_config *, flow_ended_fn *ended, void *arg);

/* Free the cache; flows still in it are dropped, not reported. NULL is fine. */
void flowtrack_free(struct flowtrack *);

/*
 * Octets that flowtrack_new takes for one flow, index and links included; a
 * struct flow_extra comes on top.
 */
size_t flowtrack_octets_per_flow(void);

/* Octets that flowtrack_new takes for a cache so configured, at most. */
size_t flowtrack_memory(const struct flowtrack_config *);

/*
 * Account n packets in the order given, starting flows that are new.
 * Cannot fail: in a full cache the flow idle longest ends early, with
 * FLOW_END_NO_RESOURCES.  Flows whose timeouts have passed at a packet's
 * clock_ns are ended before that packet is accounted, so how packets are cut
 * into calls changes nothing.  The extra of each packet may be there, or NULL.
 *
 * With `router`, the packets of one direction of a flow are counted where they
 * come into the box; if they do not come in by an interface that is watched,
 * where they leave; and of interfaces one above the other, at the highest.
 * Sightings elsewhere are counted as `again`, in whatever order they come.
 */
void flowtrack_add(struct flowtrack *, const struct packet *,
    const struct packet_extra *, size_t n);

/*
 * End flows whose timeout has passed at clock_ns, at most `budget` of them.
 * Returns whether more are due now.
 */
bool flowtrack_expire(struct flowtrack *, uint64_t clock_ns, uint32_t budget);

/*
 * While held, no flow ends for a deadline but by a packet of its own: who takes
 * the records cannot keep up, and they can wait.
 */
void flowtrack_hold(struct flowtrack *, bool held);

/* What flowtrack_sweep does to each flow. */
enum flow_sweep {
	SWEEP_END,    /* end it, FLOW_END_FORCED unless a timeout has passed */
	SWEEP_DELETE, /* throw it away unreported, counted as deleted */
	SWEEP_LOOK    /* look whether it is due, under the timeouts of now */
};

/*
 * Do something to up to `budget` flows from *cursor on (0 to begin), oldest
 * entry first.  Returns whether there are more; then *cursor is where.
 */
bool flowtrack_sweep(
    struct flowtrack *, enum flow_sweep, uint32_t *cursor, uint32_t budget);

/* Change a timeout; a SWEEP_LOOK makes it hold for flows there are. */
void flowtrack_set_timeout(struct flowtrack *, enum flow_timeout, uint32_t ms);

/* Have a half end before it counts more octets than that, from now on. */
void flowtrack_set_octets_max(struct flowtrack *, uint64_t octets_max);

/*
 * Copy up to max active flows to rec, from *cursor on (0 to begin), and move
 * the cursor.  Looks at a bounded number of entries a call.  *cursor is 0
 * again once every entry was looked at.  Returns how many were copied.  If the
 * cache keeps extra, each record points to its own in the array of max beside
 * it, which is not touched otherwise.
 */
size_t flowtrack_list(const struct flowtrack *, uint32_t *cursor,
    struct flow_record *rec, struct flow_extra *extra, size_t max);

/* The counters; borrowed, valid and changing while the cache lives. */
const struct flowtrack_stats *flowtrack_stats(const struct flowtrack *);

/* Add one cache's counters to a sum. */
void flowtrack_stats_add(
    struct flowtrack_stats *sum, const struct flowtrack_stats *);

/* The name of a timeout as -t takes it, e.g. "tcp.fin". */
const char *flow_timeout_name(enum flow_timeout);

/* The name of a key level as -T takes it, e.g. "full". */
const char *flow_key_name(enum flow_key_level);

/* The name of a flow end reason, e.g. "idle timeout". */
const char *flow_end_name(enum flow_end);

#endif

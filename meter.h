/* SPDX-License-Identifier: ISC */
/*
 * meter.h - one Metering Process: a thread that reads its sources, keeps a
 * flow cache and puts ended flows into a ring.
 *
 * The thread takes no lock, allocates nothing once it runs (but to reopen an
 * interface), and makes no system call but libpcap's, poll and one clock read
 * a burst.  The exporting thread talks to it only through the ring and through
 * one struct meter_call at a time.
 */
#ifndef METER_H
#define METER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture.h"
#include "extra.h"
#include "flowtrack.h"
#include "record.h"

struct ring; /* ring.h */
struct wake; /* wake.h */
struct meter;

#define METER_LIST_MAX 64

enum meter_op {
	METER_STATS,       /* copy the counters */
	METER_LIST,        /* copy active flows from `cursor` on */
	METER_EXPIRE_ALL,  /* end all flows, FLOW_END_FORCED */
	METER_DELETE_ALL,  /* throw all flows away */
	METER_SET_TIMEOUT, /* timeouts, timeout_ms */
	METER_TRY,         /* whether the settings can be had: error */
	METER_CHANGE,      /* to the settings */
	METER_GATHER       /* gather: decode packets, or only count them */
};

/* What a metering process counted; a copy, taken between two bursts. */
struct meter_stats {
	struct capture_stats capture; /* sum over all sources */
	struct flowtrack_stats track;
	uint64_t fragments;          /* later fragments accounted */
	uint64_t fragments_orphaned; /* ... whose first was not seen */
	uint64_t sampled_out;        /* packets that sampling left out */
	uint64_t sampled_out_octets;
	struct time_span sampled_out_span; /* to a burst */
	uint64_t ring_lost_records;        /* did not fit into the ring */
	uint64_t ring_lost_packets;
	uint64_t ring_lost_octets;
	uint32_t timeout_ms[TIMEOUTS];
	uint64_t time_ns;  /* capture time of the newest packet */
	uint64_t first_ns; /* ... and of the first; 0 = none yet */
	bool gathering;
};

/* State of one source for `interfaces`. */
struct meter_source {
	char name[64];
	bool live, up;
	uint32_t ifindex;
	struct capture_stats stats;
};

#define METER_SOURCES_MAX 64

/* What can be changed while a meter of interfaces runs. */
struct meter_settings {
	uint32_t timeout_ms[TIMEOUTS];
	uint64_t octets_max; /* as in struct flowtrack_config */
	struct sampling sampling;
	bool new_filter; /* else it stays as it is */
	const char *filter;
	bool end_flows; /* that began under the old ones */
};

/* A question to the metering thread and its answer. */
struct meter_call {
	enum meter_op op;
	/* arguments */
	uint32_t timeouts; /* METER_SET_TIMEOUT: 1 << enum flow_timeout each */
	uint32_t timeout_ms;
	bool gather;                           /* METER_GATHER */
	const struct meter_settings *settings; /* METER_TRY, METER_CHANGE */
	uint32_t cursor; /* METER_LIST: in and out; 0 to begin, 0 at the end */
	/* answers */
	struct meter_stats stats;
	struct meter_source source[METER_SOURCES_MAX];
	size_t nsources;
	struct flow_record record[METER_LIST_MAX];
	struct flow_extra extra[METER_LIST_MAX]; /* of each that points there */
	size_t nrecords;
	char error[CAPTURE_ERROR_LEN]; /* METER_TRY: why not; or "" */
};

struct meter_config {
	struct flowtrack_config track;
	struct sampling sampling;
	uint32_t ring_records;
	bool identifiers; /* that of ICMP stands as source port in flow keys */
	bool extra;       /* packets come with a struct packet_extra */
	bool replay;      /* a full ring blocks the reader and loses nothing */
};

/* Octets that a meter so configured takes without its captures, at most. */
size_t meter_memory(const struct meter_config *);

/*
 * Create a meter over n captures, which it owns from now on (also on error).
 * It rings `out` when there is something to fetch from its ring, when a call
 * was answered and when the thread ends.  NULL with errno.
 */
struct meter *meter_new(const struct meter_config *, struct capture **,
    size_t n, const struct wake *out);

/*
 * A meter over files: opened now, while there is a right to, and read one
 * after the other.  What is wrong with one is told when its turn comes.
 */
struct meter *meter_new_files(const struct meter_config *,
    const struct capture_config *, const char *const *paths, size_t n,
    const struct wake *out);

/*
 * Create a meter that is fed by another one, its reader, and has a part of
 * all flows.
 */
struct meter *meter_new_shard(
    const struct meter_config *, const struct wake *out);

/*
 * Have a meter over files, with max_flows of 0 and so without a cache of its
 * own, give each packet to one of n shards, by its flow.  The array is
 * borrowed; all live until all threads were joined.
 */
void meter_set_shards(struct meter *, struct meter *const *shard, size_t n);

/* Free a meter whose thread does not run; NULL is fine. */
void meter_free(struct meter *);

/* Start the thread.  0, or -1 with errno. */
int meter_start(struct meter *);

/* Where ended flows come out; the caller is its consumer. */
struct ring *meter_ring(struct meter *);

/*
 * Where the struct flow_extra of each comes out, which its record's pointer
 * shall be set to; NULL if the cache keeps none.  An item is there before its
 * record; it is to be released after it.
 */
struct ring *meter_extra_ring(struct meter *);

/*
 * Ask; the call is borrowed until meter_answered() says true.  Returns -1
 * with EBUSY while another call is under way, ESRCH once the thread ended.
 */
int meter_ask(struct meter *, struct meter_call *);

/* Whether the call last asked was answered (or none is under way). */
bool meter_answered(const struct meter *);

/* Tell the meter that its ring has room again (replay). */
void meter_room(struct meter *);

/*
 * Have the thread come to its end: live, it reads what the kernel holds; then
 * it ends all flows (or, with `discard`, throws them away), waiting for room
 * in the ring (live for a few seconds at most), and leaves.
 */
void meter_stop(struct meter *, bool discard);

/* Whether the thread has come to its end (files read, or stopped). */
bool meter_ended(const struct meter *);

/*
 * Wait for the thread.  Returns 0, or 1 if a source could not be read to its
 * end.  After it, meter_final_stats() may be used.
 */
int meter_join(struct meter *);

/* Fill the counters from a meter whose thread was joined, or not started. */
void meter_final_stats(struct meter *, struct meter_call *);

/* Replay: how far the reading is, 0 to 1000; -1 where not known. */
int meter_permille(const struct meter *);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * capture.h - packets from interfaces and capture files.
 *
 * The only place that knows libpcap (capture.c, capture_live.c and
 * capture_file.c).  One capture is one source; frames are decoded as they come
 * and handed over in bursts.
 */
#ifndef CAPTURE_H
#define CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "decode.h" /* struct packet, enum decode_status */
#include "record.h" /* struct time_span */

struct input_waiter; /* input.h */
struct link_table;   /* links.h */
struct packet_extra; /* extra.h */
struct capture;

#define CAPTURE_BURST 32 /* packets handed over at once, at most */
#define CAPTURE_ETHERTYPES 16
#define CAPTURE_ERROR_LEN 512

/* How long the kernel may gather packets before it hands them over. */
#define CAPTURE_TIMEOUT_MS 40

/*
 * To drain an interface: go on reading for this long, then until
 * CAPTURE_IDLE (with a limit of your own, where packets never cease).
 */
#define CAPTURE_DRAIN_MS 80 /* two timeouts */

struct capture_config {
	const char *filter;     /* BPF expression; NULL for none */
	uint32_t buffer_octets; /* of the kernel, per interface */
	uint32_t snaplen;       /* octets of a frame; live only */
	bool promiscuous;
	bool extra; /* hand over what --fields asks for, too */
	uint16_t
	    fanout; /* group that shares the interface's packets; 0 = none */
	/* Live: the interfaces of this machine, or NULL.  Borrowed. */
	const struct link_table *links;
	bool libpcap_reader; /* for all files, also classic ones: for tests */
};

/* frames = packets + the sum of discard + gathering_off. */
struct capture_stats {
	uint64_t frames;                   /* that passed the filter */
	uint64_t frame_octets;             /* their length on the wire */
	uint64_t packets;                  /* decoded */
	uint64_t discard[DECODE_STATUSES]; /* [DECODE_OK] stays 0 */
	uint64_t gathering_off;  /* seen while stop-gather was in force */
	uint64_t ignored_octets; /* on the wire, of both */
	struct time_span ignored_span;
	uint64_t short_transport, frame_length; /* the NOTE_ bits */
	uint64_t above_mtu; /* live: packets longer than the interface's MTU */
	uint64_t kernel_drops, interface_drops; /* pcap_stats, never reset */
	uint64_t reopened; /* times capture_reopen found the interface */
	/* Discarded network-layer protocols, in the order they were met. */
	struct {
		uint16_t type;
		uint64_t frames;
	} ethertype[CAPTURE_ETHERTYPES];
	uint64_t ethertype_other; /* met when the table was full */
};

/*
 * Receives a burst (0 < n <= CAPTURE_BURST) of decoded packets, and with
 * capture_config.extra an array of their extra, else NULL; borrowed.
 */
typedef void capture_burst_fn(
    struct packet *, struct packet_extra *, size_t n, void *arg);

/* Octets that an interface, or a file being read, takes at most. */
size_t capture_live_memory(const struct capture_config *);
size_t capture_file_memory(const struct capture_config *);

/*
 * Open an interface and start capturing.  ifindex is what packets are marked
 * with; 0 = the system's.  Returns NULL with one line of explanation in
 * errbuf; *missing tells whether the interface just is not there or not up.
 */
struct capture *capture_open_live(const char *name, uint32_t ifindex,
    const struct capture_config *, bool *missing,
    char errbuf[CAPTURE_ERROR_LEN]);

/*
 * Make a capture for an interface that is not there yet (--wait): it counts
 * as lost, and capture_reopen brings it up.  NULL with ENOMEM.
 */
struct capture *capture_await_live(
    const char *name, uint32_t ifindex, const struct capture_config *);

/*
 * Open a capture file ("-" is standard input); stop ends a read that waits
 * (see input.h).  Returns NULL with one line of explanation in errbuf.
 */
struct capture *capture_open_file(const char *path, uint32_t ifindex,
    const struct capture_config *, const struct input_waiter *,
    char errbuf[CAPTURE_ERROR_LEN]);

/* A capture file that waits for its turn, with its descriptor. */
struct capture_file {
	const char *path; /* borrowed */
	int fd;           /* owned; -1 = it could not be opened, */
	int error;        /* and why: an errno */
};

/*
 * Open a file that is to be read later, when there may be no right to.  What
 * is wrong with it is told by capture_open_found().
 */
void capture_find_file(struct capture_file *, const char *path);

/* Close what will not be read.  Twice is fine. */
void capture_leave_file(struct capture_file *);

/* As capture_open_file(); takes the descriptor, also on error. */
struct capture *capture_open_found(struct capture_file *, uint32_t ifindex,
    const struct capture_config *, const struct input_waiter *,
    char errbuf[CAPTURE_ERROR_LEN]);

/* NULL is fine. */
void capture_close(struct capture *);

const char *capture_name(const struct capture *);
bool capture_is_live(const struct capture *);

/* What packets are marked with; 0 = each with its own, or unknown. */
uint32_t capture_ifindex(const struct capture *);

/* Live: the descriptor to poll; -1 while the interface is lost. */
int capture_fd(const struct capture *);

/*
 * Live: the longest wait in ms before capture_read must be called although
 * the descriptor is silent; -1 = no limit.
 */
int capture_poll_ms(const struct capture *);

enum capture_result {
	CAPTURE_MORE, /* there may be more at once */
	CAPTURE_IDLE, /* live: nothing to read now */
	CAPTURE_END,  /* file: read to its end, or stopped */
	CAPTURE_LOST, /* live: the interface went away or down */
	CAPTURE_ERROR /* file: damaged from here on; see capture_error */
};

/*
 * Read what one dispatch gives and hand it over in bursts.  Live: never
 * blocks.  clock_ns is given to each packet of an interface; a file's packets
 * get their own time, made never to run backwards.
 */
enum capture_result capture_read(struct capture *, uint64_t clock_ns,
    capture_burst_fn *hand_over, void *arg);

/*
 * Carry the timeline of a file on where `before` (a finished file) ended, so
 * that several files are one stream.
 */
void capture_continue(struct capture *, const struct capture *before);

/*
 * Live, lost: try to open the interface again.  Returns 0, or -1 while it is
 * not there.
 */
int capture_reopen(struct capture *);

/*
 * Live: try whether this source can have a filter (NULL for none), and change
 * nothing.  Returns 0, or -1 with one line of explanation in errbuf.
 */
int capture_try_filter(
    struct capture *, const char *filter, char errbuf[CAPTURE_ERROR_LEN]);

/*
 * Live: have another filter (NULL for none) from now on; frames that the old
 * one has let through and that were not read yet must pass it, too.  A lost
 * interface gets it when it comes back.  Returns 0, or -1 with one line of
 * explanation in errbuf.
 */
int capture_set_filter(
    struct capture *, const char *filter, char errbuf[CAPTURE_ERROR_LEN]);

/* Whether packets are decoded and handed over, or only counted. */
void capture_gather(struct capture *, bool on);

/*
 * Live: ask the kernel for its drop counts, and for what may have changed
 * about the interface (some system calls).
 */
void capture_poll_drops(struct capture *);

/* What went wrong, after CAPTURE_LOST or CAPTURE_ERROR; one line. */
const char *capture_error(const struct capture *);

/* File: how far the reading is, 0 to 1000; -1 where not known.  Any thread. */
int capture_permille(const struct capture *);

const struct capture_stats *capture_stats(const struct capture *);

/* Frames that were not handed over, for whatever reason. */
uint64_t capture_ignored(const struct capture_stats *);

/* Add one source's counters to a sum. */
void capture_stats_add(struct capture_stats *sum, const struct capture_stats *);

/* The interfaces there are, comma separated, for messages; free() it. */
char *capture_list_interfaces(void);

#endif

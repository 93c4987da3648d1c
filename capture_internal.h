/* SPDX-License-Identifier: ISC */
/*
 * capture_internal.h - what the three rooms of capture share and nobody else
 * sees: capture.c (frames to bursts, counters, what both kinds do alike),
 * capture_live.c (interfaces) and capture_file.c (files).
 */
#ifndef CAPTURE_INTERNAL_H
#define CAPTURE_INTERNAL_H

#include <pcap/pcap.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture.h"
#include "extra.h"
#include "input.h"
#include "pcapfile.h"

#define CAPTURE_DISPATCH 1024 /* frames read at once, at most */

/* libpcap's own: of an interface, and what the block of a file may need. */
#define CAPTURE_LIVE_OCTETS 262144
#define CAPTURE_FILE_OCTETS 16777216

/* The timeline of a file; it goes on in the next file. */
struct capture_clock {
	uint64_t shift_ns; /* added to the time of packets */
	uint64_t last_ns;
};

struct capture {
	pcap_t *pcap; /* NULL while an interface is lost */
	char *name;
	char *filter;               /* NULL for none */
	struct bpf_program program; /* the filter compiled for this handle */
	struct capture_config config;
	uint32_t ifindex_given; /* 0 = the system's */
	uint32_t ifindex;       /* what packets are marked with */
	int link_type;          /* DLT_ of libpcap */
	decode_fn *decode;
	uint32_t tick_ns; /* what libpcap's tv_usec counts: 1 or 1000 */
	bool counting_only;
	capture_burst_fn *hand_over;
	void *arg;
	size_t nburst;
	struct packet burst[CAPTURE_BURST];
	struct packet_extra *extra; /* of each; NULL: nobody asks */
	struct capture_stats stats;
	char error[CAPTURE_ERROR_LEN];

	/* File. */
	struct input *input;        /* NULL: an interface */
	struct input_waiter waiter; /* what a pipe's silence is used for */
	struct pcapfile *records;   /* NULL: libpcap reads them */
	uint8_t
	    header[PCAPFILE_HEADER_LEN]; /* of a classic file, for libpcap */
	struct capture_clock clock;

	/* Interface. */
	uint32_t bound_ifindex; /* the system's when it was opened; 0 = none */
	uint32_t mtu;           /* of its packets; UINT32_MAX = not known */
	bool has_mac;
	uint8_t mac[6];        /* its own, for telling directions */
	unsigned int depth;    /* of the bound interface */
	unsigned int deepest;  /* of all interfaces */
	uint64_t now_ns;       /* clock_ns of this read */
	uint64_t checked_ns;   /* when link_trouble was asked */
	bool failing;          /* about to be lost, see error */
	uint64_t failed_ns;    /* ... since when */
	struct pcap_stat seen; /* what the open handle said last */
};

/* Octets that capture_new takes. */
size_t capture_memory(const struct capture_config *);

/* Make one without a source; NULL with ENOMEM. */
struct capture *capture_new(
    const char *name, uint32_t ifindex, const struct capture_config *);

/* Put "name: why" into the error.  Returns -1. */
int capture_explain(struct capture *, const char *why);

/*
 * The last step of a capture_open: give up one that could not be opened (NULL:
 * no memory), and tell why.  Returns NULL.
 */
struct capture *capture_give_up(
    struct capture *, char errbuf[CAPTURE_ERROR_LEN]);

/*
 * Learn what a handle will give, and set the filter.  On success the capture
 * owns the handle.  Returns 0, or -1 with the error.
 */
int capture_adopt(struct capture *, pcap_t *);

/* Set the filter on a handle, if there is one.  0, or -1 with the error. */
int capture_filter(struct capture *, pcap_t *);

/* Count frames, and decode them into the burst. */
void capture_records(
    struct capture *, const struct pcapfile_record *, size_t n);

/* The same for a frame of libpcap; the first argument is the capture. */
void capture_pcap_frame(u_char *, const struct pcap_pkthdr *, const u_char *);

/* Hand over the packets that are in the burst. */
void capture_flush(struct capture *);

/* The kinds of capture_read. */
enum capture_result capture_read_live(struct capture *);
enum capture_result capture_read_file(struct capture *);

/* Give back what only a file has. */
void capture_close_file(struct capture *);

#endif

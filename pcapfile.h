/* SPDX-License-Identifier: ISC */
/*
 * pcapfile.h - the records of a classic capture file (pcap), out of large
 * reads: less than half the time that libpcap takes with its two a packet.
 *
 * Every variant of the format that libpcap reads: microseconds and
 * nanoseconds, either byte order, the longer record headers of magic number
 * a1b2cd34, and the lengths in the order of versions before 2.4.  What the
 * file's header says besides (version, link type) is for libpcap to judge.
 */
#ifndef PCAPFILE_H
#define PCAPFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PCAPFILE_HEADER_LEN 24
#define PCAPFILE_CAPLEN_MAX 262144 /* a longer record is damage */

struct input; /* input.h */
struct pcapfile;

struct pcapfile_record {
	const uint8_t *frame; /* caplen octets; borrowed until the next call */
	uint32_t caplen;      /* octets captured, or the snap length */
	uint32_t wirelen;     /* octets of the frame on the wire */
	uint64_t time_ns;     /* since 1970 UTC, up to 2106 */
};

enum pcapfile_status {
	PCAPFILE_RECORD,
	PCAPFILE_END,
	PCAPFILE_DAMAGED /* from here on, for good; see pcapfile_error */
};

/*
 * Whether an input begins with the magic number of a classic file and is long
 * enough for its header, which is copied out but stays in the input.
 */
bool pcapfile_recognise(struct input *, uint8_t header[PCAPFILE_HEADER_LEN]);

/* Octets that pcapfile_new takes. */
size_t pcapfile_memory(void);

/*
 * Start reading the records of a recognised input, which is borrowed.  Frames
 * are cut to snaplen octets.  Returns NULL with errno ENOMEM.
 */
struct pcapfile *pcapfile_new(struct input *,
    const uint8_t header[PCAPFILE_HEADER_LEN], uint32_t snaplen);

/* NULL is fine. */
void pcapfile_free(struct pcapfile *);

/*
 * Step to the next records, as many as are at hand: one to max (> 0) of them,
 * told in *n, with PCAPFILE_RECORD; none with what else is returned.  An input
 * that was stopped may look damaged.  A fraction of a second beyond its end is
 * taken for its last nanosecond.
 */
enum pcapfile_status pcapfile_next(
    struct pcapfile *, struct pcapfile_record *, size_t max, size_t *n);

/* What the damage is, after PCAPFILE_DAMAGED: a few words. */
const char *pcapfile_error(const struct pcapfile *);

#endif

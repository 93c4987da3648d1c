/* SPDX-License-Identifier: ISC */
/*
 * picture.h - two pictures of the largest flows (largest.h), and what happened
 * between them, a row for each flow, host or port.
 *
 * Belongs to softprobectl.  A picture is text of the daemon; what is in it is
 * checked, and nothing of it is shown but numbers, addresses and the names of
 * protocols.
 */
#ifndef PICTURE_H
#define PICTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct picture;

enum picture_kind {
	PICTURE_FLOWS, /* a conversation; sent: by the side that began it */
	PICTURE_HOSTS, /* an address; sent: by it */
	PICTURE_PORTS, /* the port that conversations began to; sent: to it */
	PICTURE_KINDS
};

#define PICTURE_NAME_LEN 56

/* What happened in the time between two pictures, and what there was. */
struct picture_row {
	char protocol[8];               /* "" of a host */
	char name[2][PICTURE_NAME_LEN]; /* the second of a flow alone */
	uint64_t sent, received;        /* octets, in that time */
	uint64_t packets;               /* in that time */
	uint64_t octets;                /* of its active flows, in all */
	uint64_t all_packets;
};

/* What a picture tells of all flows, kept in it or not. */
struct picture_sums {
	uint64_t flows, octets, packets;
	uint64_t kept; /* flows that are in the picture */
};

/* Read the text, which is changed.  NULL: it is none, or out of memory. */
struct picture *picture_parse(char *text);

/* NULL is fine. */
void picture_free(struct picture *);

struct picture_sums picture_sums(const struct picture *);

/*
 * Make *rows, to be freed: those with the most octets or packets in the time
 * since `before` come first, or, with that NULL, those that have the most in
 * all.  Flows that ended in between are not in it.  Of one that was not kept
 * in `before` only so much counts as it has more than any had that was not.
 * Returns how many; 0 with *rows NULL also if out of memory.
 */
size_t picture_rows(const struct picture *now, const struct picture *before,
    enum picture_kind, bool by_packets, struct picture_row **rows);

#endif
